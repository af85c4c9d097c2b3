Feature: Difficult agents
  What an orchestrator does when an agent is slow, dies, says very much, or never comes to an end.

  @OR-1 @OR-3 @OR-4 @OR-11 @OR-11b
  Scenario Outline: A slow first turn of <agent>
    Given a <agent> worker with 16 s to its deadline
    And its turn takes 12 s
    When the orchestrator has done its work
    Then every rule is kept
    And all work is reported done

    Examples:
      | agent  |
      | codex  |
      | claude |
      | gemini |

  @OR-4 @OR-12
  Scenario Outline: A <agent> agent dies in its first turn
    Given a <agent> worker with 8 s to its deadline
    And its agent dies after 2 s
    When the orchestrator has done its work
    Then every rule is kept
    And work is reported that is not done

    Examples:
      | agent  |
      | codex  |
      | claude |

  @OR-4 @OR-12
  Scenario: A first turn fails
    Given a codex worker with 8 s to its deadline
    And its turn fails after 2 s
    When the orchestrator has done its work
    Then every rule is kept
    And work is reported that is not done

  @OR-8
  Scenario Outline: More is said by <agent> than an answer can hold
    Given a <agent> worker with 8 s to its deadline
    And its reply has 60000 characters
    When the orchestrator has done its work
    Then every rule is kept

    Examples:
      | agent  |
      | codex  |
      | claude |

  @OR-1 @OR-4 @OR-9 @OR-12
  Scenario Outline: A turn of <agent> never ends
    Given a <agent> worker with 6 s to its deadline
    And its turn never ends
    When the orchestrator has done its work
    Then every rule is kept
    And work is reported that is not done

    Examples:
      | agent  |
      | codex  |
      | claude |

  @OR-4 @OR-6
  Scenario: A session is gone once it could be observed
    Given a claude worker with 10 s to its deadline
    And its turn takes 6 s
    And sessions are not found any more after 3 s
    When the orchestrator has done its work
    Then every rule is kept

  @OR-4 @OR-12 @OR-15
  Scenario: One of several fails
    Given a codex worker with 8 s to its deadline
    And its agent dies after 1 s
    And a claude worker with 8 s to its deadline
    And its turn takes 4 s
    And a codex worker with 8 s to its deadline
    And its turn takes 4 s
    When the orchestrator has done its work
    Then every rule is kept
    And work is reported that is not done

  @OR-1 @OR-4 @OR-5 @OR-11b @OR-12
  Scenario: Ten workers of all agents
    Given ten workers of all agents with 12 s to their deadlines
    When the orchestrator has done its work
    Then every rule is kept
    And all work is reported done

  @OR-10 @virtual
  Scenario: A first turn that takes more than a day
    Given a codex worker with 172800 s to its deadline
    And its turn never ends
    When the orchestrator has done its work
    Then every rule is kept
    And work is reported that is not done

  @OR-11 @virtual
  Scenario: A first turn that takes an hour
    Given a claude worker with 7200 s to its deadline
    And its turn takes 3600 s
    When the orchestrator has done its work
    Then every rule is kept
    And all work is reported done
