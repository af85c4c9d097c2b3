Feature: Lists of stored sessions

  @RS-LIST-1
  Scenario: Every session is listed, and of the active ones those that are not over
    Given a stored session "A"
    And 1 seconds pass
    And a stored session "B"
    And 1 seconds pass
    And a stored session "C"
    And 1 seconds pass
    And a stored session "D"
    And 1 seconds pass
    And a stored session "E"
    And "A" is finalized as "completed"
    And "B" is finalized as "failed"
    And "C" is finalized as "abandoned"
    And "D" moves to "executing"
    When the stored sessions are listed
    Then the list is "A, B, C, D, E"
    When the active sessions are listed
    Then the list is "D, E"

  @RS-LIST-2
  Scenario: The sessions of an agent are its own
    Given a stored session "A" of agent "deploy" with "{}"
    And 1 seconds pass
    And a stored session "B" of agent "deploy-prod" with "{}"
    And 1 seconds pass
    And a stored session "C" of agent "deploy" with "{}"
    When the sessions of agent "deploy" are listed
    Then the list is "A, C"
    When the sessions of agent "Deploy" are listed
    Then the list is ""
    When the sessions of agent "deploy-prod" are listed
    Then the list is "B"

  @RS-LIST-3
  Scenario Outline: A record that is <corrupt> spoils nothing
    Given a stored session "A"
    And 1 seconds pass
    And a stored session "B"
    And 1 seconds pass
    And a stored session "C"
    And the record of "B" is "<corrupt>"
    When the stored sessions are listed
    Then the list is "A, C"

    Examples:
      | corrupt         |
      | empty           |
      | torn            |
      | no object       |
      | without a phase |

  @RS-LIST-3
  Scenario Outline: <thing> is no session
    Given a stored session "A"
    And "<thing>" lies among the sessions
    When the stored sessions are listed
    Then the list is "A"

    Examples:
      | thing                     |
      | an empty folder           |
      | a file                    |
      | a folder of somebody else |
      | a link                    |

  @RS-LIST-4
  Scenario: The oldest comes first, whatever happened since
    Given a stored session "A"
    And 1 seconds pass
    And a stored session "B"
    And 1 seconds pass
    And a stored session "C"
    And 1 seconds pass
    And "B" moves to "approval"
    And 1 seconds pass
    And "A" notes '{"n":1}'
    When the stored sessions are listed
    Then the list is "A, B, C"
