@needs:containers
Feature: Coming back

  @SV-RECOVER-1
  Scenario: After a restart, reload the registry and reconnect to surviving containers
    Given session "A" is supervised
    And session "B" is supervised
    And "B" is paused
    When the supervisor is killed
    And the agent of "A" completes its turn with "written meanwhile"
    And the supervisor is started
    Then the agent of "A" is the same
    And the agent of "B" is the same
    And "A" is "running"
    And "B" is "paused"
    And the text of "A" has "written meanwhile" once
    When "A" is told "go on"
    Then the agent of "A" was told "go on" once

  @SV-RECOVER-2
  Scenario: What ended meanwhile is in error
    Given session "A" is supervised
    When the supervisor is killed
    And the container of "A" is removed by somebody
    And the supervisor is started
    Then "A" is "error" at once

  @SV-RECOVER-3
  Scenario Outline: A record that is <kind> costs itself alone
    Given session "A" is supervised
    When the supervisor is killed
    And a record that is "<kind>" lies in the registry
    And the supervisor is started
    Then the record that cannot be read is told of
    And "A" is "running"

    Examples:
      | kind     |
      | torn     |
      | empty    |
      | foreign  |
      | future   |
      | enormous |

  @SV-RECOVER-3
  Scenario: The container of a record that cannot be read is left alone
    Given session "A" is supervised
    When the supervisor is killed
    And the record of "A" is torn
    And the supervisor is started
    And 3 checks pass
    Then the record that cannot be read is told of
    And the agent of "A" is the same
    And there is one container of "A"

  @SV-RECOVER-3
  Scenario: A record of older fields is read, and its plan is not alive
    Given session "A" is supervised
    When the supervisor is killed
    And a record of older fields lies in the registry
    And the supervisor is started
    Then "planned-once" is listed as "stopped"
    And "A" is "running"

  @SV-RECOVER-4
  Scenario: A supervisor that is killed in a start leaves nothing unknown
    When the supervisor is killed in each call of a start
    Then nothing was torn, and nothing was left

  @SV-RECOVER-5
  Scenario: Failures are counted on
    Given session "A" is supervised
    When the agent of "A" hangs
    And 2 pings of "A" go unanswered
    And the supervisor is killed and started again
    Then the health of "A" fails after as many checks as the policy says

  @SV-RECOVER-5 @SV-STATE-1
  Scenario: Restarts are counted on
    Given session "A" is supervised and started again by itself
    When the agent of "A" dies 2 times
    And 10 seconds pass
    And the supervisor is killed and started again
    And the agent of "A" dies
    And 10 seconds pass
    Then the restarts of "A" came after "1, 2, 4" seconds

  @SV-RECOVER-5
  Scenario: A restart that was scheduled is due when it was to be
    Given a supervisor whose first restart waits 30 s
    And session "A" is supervised and started again by itself
    And the agent of "A" dies
    And a restart of "A" is scheduled
    When the supervisor is killed and started again
    Then the agent of "A" is another
    And the agent of "A" was away 30 s at least

  @SV-RECOVER-5
  Scenario: What was stopped stays stopped
    Given session "A" is supervised and started again by itself
    And "A" is stopped
    When the supervisor is killed and started again
    And 120 seconds pass
    Then "A" is "stopped"
    And nothing of "A" runs

  @SV-RECOVER-6
  Scenario: Foreign containers are left alone
    Given session "A" is supervised
    And a container of somebody else's is beside that of "A"
    When the supervisor is killed and started again
    And 3 checks pass
    Then somebody else's container is untouched
    And the agent of "A" is the same

  @SV-RECOVER-6 @SV-REG-6
  Scenario: A container is known by its id, not by its name
    Given session "A" is supervised
    When the supervisor is killed
    And somebody takes the name of the container of "A"
    And the supervisor is started
    Then "A" is "error"
    When "A" is told "are you mine?"
    Then somebody else's container is untouched

  @SV-RECOVER-7
  Scenario: A second supervisor on a registry refuses
    Given session "A" is supervised
    When a second supervisor is started on the registry
    Then the second supervisor was refused
    And the agent of "A" is the same
