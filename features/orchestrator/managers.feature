Feature: Difficult managers
  What an orchestrator does when the manager that it calls is slow, forgetful or away.

  @OR-1 @OR-3 @OR-4 @OR-5 @OR-12
  Scenario: Nothing is difficult
    Given a codex worker with 10 s to its deadline
    And a claude worker with 10 s to its deadline
    When the orchestrator has done its work
    Then every rule is kept
    And all work is reported done

  @OR-1 @OR-3 @OR-4
  Scenario: Announcements come late
    Given a codex worker with 10 s to its deadline
    And announcements come 3 s late
    When the orchestrator has done its work
    Then every rule is kept
    And all work is reported done

  @OR-1 @OR-4
  Scenario: Every announcement comes twice
    Given a codex worker with 8 s to its deadline
    And a claude worker with 8 s to its deadline
    And announcements come twice
    When the orchestrator has done its work
    Then every rule is kept
    And all work is reported done

  @OR-3 @OR-4 @OR-9 @OR-12
  Scenario: The announcement is lost
    Given a codex worker with 5 s to its deadline
    And announcements of completed turns are lost
    When the orchestrator has done its work
    Then every rule is kept

  @OR-1 @OR-2 @OR-4
  Scenario: A session is not found during its first turn
    Given a codex worker with 9 s to its deadline
    And its turn takes 4 s
    And sessions that cannot be observed yet are not found
    When the orchestrator has done its work
    Then every rule is kept
    And all work is reported done

  @OR-2 @OR-4
  Scenario: The list leaves out what cannot be observed yet
    Given a codex worker with 9 s to its deadline
    And its turn takes 4 s
    And sessions that cannot be observed yet are not found
    And sessions that cannot be observed yet are not listed
    When the orchestrator has done its work
    Then every rule is kept
    And all work is reported done

  @OR-4 @OR-5
  Scenario Outline: Ending a <agent> session fails at first
    Given a <agent> worker with 8 s to its deadline
    And the first end_session fails
    When the orchestrator has done its work
    Then every rule is kept

    Examples:
      | agent  |
      | codex  |
      | claude |

  @OR-4 @OR-7
  Scenario Outline: The reply to a start of <agent> is lost
    Given a <agent> worker with 10 s to its deadline
    And the reply to the first start_session is lost
    When the orchestrator has done its work
    Then every rule is kept

    Examples:
      | agent  |
      | codex  |
      | gemini |

  @OR-15 @OR-4
  Scenario: Others work there, too
    Given a codex worker with 10 s to its deadline
    And a claude worker with 10 s to its deadline
    And sessions of others are listed
    When the orchestrator has done its work
    Then every rule is kept
    And all work is reported done

  @OR-15 @OR-7
  Scenario Outline: The reply to a start of <agent> is lost where others work, too
    Given a <agent> worker with 10 s to its deadline
    And the reply to the first start_session is lost
    And sessions of others are listed
    When the orchestrator has done its work
    Then every rule is kept

    Examples:
      | agent  |
      | codex  |
      | claude |

  @OR-4 @OR-12
  Scenario: The manager restarts during a turn
    Given a codex worker with 12 s to its deadline
    And its turn takes 4 s
    And a claude worker with 12 s to its deadline
    And its turn takes 5 s
    And the manager is away for 1 s after 2 s
    When the orchestrator has done its work
    Then every rule is kept

  @OR-4 @OR-12
  Scenario: A turn ends while the manager is away
    Given a codex worker with 10 s to its deadline
    And its turn takes 3 s
    And the manager is away for 2 s after 2 s
    When the orchestrator has done its work
    Then every rule is kept
