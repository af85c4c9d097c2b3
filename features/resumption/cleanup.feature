Feature: Cleaning up stored sessions

  @RS-CLEAN-1 @RS-CLEAN-2
  Scenario: What is older goes, what is younger stays
    Given a stored session "A"
    And "A" is finalized as "completed"
    And a stored session "B"
    And 20 hours pass
    And "B" moves to "approval"
    And a stored session "C"
    And 5 hours pass
    When what is older than 24 hours is cleaned up
    Then RS-CLEAN-2: 1 were removed
    And "A" is gone
    And "B" is there
    And "C" is there

  @RS-CLEAN-1
  Scenario: A session that is not over goes as well
    Given a stored session "A"
    And "A" moves to "approval"
    And 25 hours pass
    When what is older than 24 hours is cleaned up
    Then "A" is gone

  @RS-CLEAN-2
  Scenario: Two clean-ups at once both succeed and count what they removed
    Given a stored session "A"
    And a stored session "B"
    And a stored session "C"
    And 25 hours pass
    And a stored session "D"
    When what is older than 24 hours is cleaned up twice at once
    Then 3 were removed by both together
    And RS-CLEAN-1: "D" is there

  @RS-CLEAN-3
  Scenario: A link is not followed
    Given a stored session "A"
    And "a link" lies among the sessions
    When what is older than 24 hours is cleaned up
    Then what lies elsewhere is untouched
    And RS-CLEAN-1: "A" is there

  @RS-CLEAN-4
  Scenario Outline: A record that is <corrupt> goes by its file's time
    Given a stored session "A"
    And a stored session "B"
    And the record of "A" is "<corrupt>"
    And the record of "B" is "<corrupt>"
    And the file of "A" was written 25 hours ago
    And the file of "B" was written 23 hours ago
    When what is older than 24 hours is cleaned up
    Then the file of "A" is gone
    And the file of "B" is there

    Examples:
      | corrupt |
      | empty   |
      | torn    |

  @RS-CLEAN-5
  Scenario: Hours before nought are refused
    Given a stored session "A"
    And 1 hours pass
    When what is older than -1 hours is cleaned up
    Then the answer is "invalid_argument"
    And "A" is there
