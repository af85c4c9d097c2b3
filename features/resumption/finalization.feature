Feature: The end of a stored session

  @RS-FINAL-1
  Scenario Outline: What is <outcome> has its time, its duration and its summary
    Given a stored session "A"
    And 10 minutes pass
    And "A" moves to "approval"
    And 10 minutes pass
    When "A" is finalized as "<outcome>" with the summary "Terraform applied"
    Then the answer is "success"
    And "phase" of "A" is "<outcome>"
    And "finalized_at" of "A" is a time
    And "duration_seconds" of "A" is about 1200
    And "summary" of "A" is "Terraform applied"
    And "resume_ready" of "A" is "false"

    Examples:
      | outcome   |
      | completed |
      | failed    |
      | abandoned |

  @RS-FINAL-1
  Scenario: A summary may be left out
    Given a stored session "A"
    When "A" is finalized as "completed"
    Then "summary" of "A" is "null"
    And "phase" of "A" is "completed"

  @RS-FINAL-2
  Scenario Outline: <outcome> is no outcome
    Given a stored session "A"
    When "A" is finalized as "<outcome>"
    Then the answer is "invalid_argument"
    And "phase" of "A" is "initializing"

    Examples:
      | outcome   |
      | done      |
      | approval  |
      | Completed |

  @RS-FINAL-3
  Scenario Outline: What is <outcome> is never resumed
    Given a stored session "A"
    And "A" moves to "approval"
    And "A" is finalized as "<outcome>"
    When the decision on "A" is asked for
    Then it is not resumed
    And the reason is "finalized"

    Examples:
      | outcome   |
      | completed |
      | failed    |
      | abandoned |
