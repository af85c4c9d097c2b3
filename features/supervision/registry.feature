@needs:containers
Feature: The registry

  @SV-REG-1 @SV-BRANCH-1
  Scenario: The record is there, and whole, when a start is answered
    When session "A" is supervised
    Then the record of "A" is there, and whole
    And SV-BRANCH-1: the record of "A" names its branch

  @SV-REG-2
  Scenario: What is announced was recorded
    Given session "A" is supervised
    When "A" is paused
    And "A" is resumed
    And "A" is stopped
    Then each state was recorded before it was announced

  @SV-REG-3
  Scenario: A record is replaced, and its owner's alone
    Given session "A" is supervised
    And the record of "A" is held open
    When "A" is paused
    Then what was held open is the record of before
    And the record of "A" is its owner's alone

  @SV-REG-3
  Scenario: A supervisor that is killed at any instant leaves a whole record
    Given session "A" is supervised
    When the supervisor is killed at 12 instants of pausing "A"
    Then nothing was torn, and nothing was left

  @SV-REG-4
  Scenario Outline: An id stays inside: <name>
    When session "A" is asked for with the id "<name>"
    Then the answer is "invalid_argument"
    And nothing lies outside of the registry
    And no container is there

    Examples:
      | name           |
      | parent         |
      | far parent     |
      | slash          |
      | dots           |
      | flag           |
      | line break     |
      | 300 characters |

  @SV-REG-4 @SV-REG-6
  Scenario Outline: A role stays inside: <name>
    When session "A" is asked for with the role "<name>"
    Then the answer is "invalid_argument"
    And nothing lies outside of the registry

    Examples:
      | name       |
      | empty      |
      | parent     |
      | far parent |
      | flag       |

  @SV-REG-5
  Scenario: A record holds no secret
    When session "A" is supervised
    Then no value of the supervisor's environment is in the record of "A"

  @SV-REG-6
  Scenario: A record says which container it is, after a restart, too
    Given session "A" is supervised
    When "A" is restarted
    Then the record of "A" names the container that runs

  @SV-REG-6
  Scenario: One session's end is not another's
    Given session "A" is supervised
    And session "B" is supervised
    When "A" is stopped
    Then "B" is "running"
    And "A" is "stopped"
