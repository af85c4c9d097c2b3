@needs:containers
Feature: Stopping and restarting

  @SV-STOP-1
  Scenario: The agent ends first, then its container
    Given session "A" is supervised
    And something is executed in the container of "A"
    When "A" is stopped
    Then the agent of "A" was asked to end before its container ended
    And nothing of "A" runs
    And "A" is "stopped"

  @SV-STOP-1 @SV-REG-6
  Scenario: An agent has its grace, and no more
    Given the agent of "A" will ignore TERM
    And session "A" is supervised
    And something is executed in the container of "A"
    When "A" is stopped with a grace of 3 s
    Then the agent of "A" had 3 s to end
    And nothing of "A" runs

  @SV-STOP-2 @SV-AUTO-5
  Scenario: A stop takes back a restart that is scheduled
    Given a supervisor whose first restart waits 30 s
    And session "A" is supervised and started again by itself
    And the agent of "A" dies
    And a restart of "A" is scheduled
    When "A" is stopped
    And 120 seconds pass
    Then "A" is "stopped"
    And nothing of "A" runs
    And SV-AUTO-5: nothing of "A" runs

  @SV-STOP-3
  Scenario: Stopping twice is stopping
    Given session "A" is supervised
    And "A" is stopped
    When "A" is stopped
    Then the answer is "success"
    And "A" is "stopped"

  @SV-STOP-3
  Scenario: What is gone already is stopped
    Given session "A" is supervised
    And the container of "A" is removed by somebody
    When "A" is stopped
    Then the answer is "success"
    And "A" is "stopped"

  @SV-STOP-4 @SV-REG-6
  Scenario: A stop ends its own container alone
    Given session "A" is supervised as "one"
    And session "B" is supervised as "one-more"
    And a container of somebody else's is beside that of "A"
    When "A" is stopped
    Then somebody else's container is untouched
    And the agent of "B" is the same

  @SV-RESTART-1 @SV-RESTART-1b
  Scenario: A restart keeps the session and what was written
    Given session "A" is supervised
    And the agent of "A" completes its turn with "the first answer"
    When "A" is restarted
    Then the answer is "success"
    And the agent of "A" is another
    And "A" is "running"
    And the text of "A" has "the first answer" once
    And SV-RESTART-1b: the agent of "A" was told "begin" once

  @SV-RESTART-2
  Scenario: The old agent ends before the new one begins
    Given the agent of "A" will ignore TERM
    And session "A" is supervised
    When "A" is restarted
    Then there were never two agents of "A"
    And the agent of "A" is another

  @SV-RESTART-3
  Scenario: A name that is taken does not hinder a restart
    Given session "A" is supervised
    And somebody takes the name of the next container of "A"
    When "A" is restarted
    Then the answer is "success"
    And the agent of "A" is another
    And somebody else's container is untouched

  @SV-RESTART-3 @SV-REG-6
  Scenario Outline: A container that was <done> does not hinder a restart
    Given session "A" is supervised
    And the container of "A" is <done> by somebody
    When "A" is restarted
    Then the answer is "success"
    And there is one container of "A"

    Examples:
      | done    |
      | frozen  |
      | removed |
      | killed  |

  @SV-RESTART-3 @SV-REG-6
  Scenario: A restart that fails ends in error
    Given session "A" is supervised
    And the engine "fails" every "create"
    When "A" is restarted
    Then the answer is "engine_unavailable"
    And "A" is "error"
    And nothing of "A" runs

  @SV-RESTART-4 @SV-REG-6
  Scenario: What is asked at once is done one after the other
    Given session "A" is supervised
    When "A" is stopped, restarted and paused at once
    Then there is one container of "A", or none
    And there were never two agents of "A"
    And the record of "A" says what is true
