@needs:containers
Feature: Restarts by themselves

  @SV-AUTO-1 @SV-AUTO-6 @SV-REG-6
  Scenario: Force-stop a container: auto-restart works
    Given session "A" is supervised and started again by itself
    When the container of "A" is killed by somebody
    Then the agent of "A" is another
    And "A" is "running"
    And SV-AUTO-6: "A" was restarted 1 times by itself

  @SV-AUTO-1
  Scenario: A session whose auto-restart is off is left
    Given session "A" is supervised
    When the agent of "A" dies
    And 120 seconds pass
    Then "A" is "error"
    And nothing of "A" runs

  @SV-AUTO-1
  Scenario: Auto-restart that is switched on counts at once
    Given session "A" is supervised
    When auto-restart of "A" is switched "on"
    And the agent of "A" dies
    Then the agent of "A" is another

  @SV-AUTO-1
  Scenario: Auto-restart that is switched off counts at once
    Given a supervisor whose first restart waits 30 s
    And session "A" is supervised and started again by itself
    And the agent of "A" dies
    And a restart of "A" is scheduled
    When auto-restart of "A" is switched "off"
    And 120 seconds pass
    Then "A" is "error"
    And nothing of "A" runs

  @SV-AUTO-2
  Scenario: Delays double
    Given session "A" is supervised and started again by itself
    When the agent of "A" dies 4 times
    And 10 seconds pass
    Then the restarts of "A" came after "1, 2, 4, 8" seconds
    And the restarts of "A" follow the policy

  @SV-AUTO-2
  Scenario: Delays have a longest
    Given a supervisor that allows 20 restarts
    And session "A" is supervised and started again by itself
    When the agent of "A" dies 8 times
    And 90 seconds pass
    Then the restarts of "A" came after "1, 2, 4, 8, 16, 32, 60, 60" seconds

  @SV-AUTO-3
  Scenario: Restarts have an end, and a person is called
    Given session "A" is supervised and started again by itself
    When the agent of "A" dies 6 times
    And 3600 seconds pass
    Then "A" is "error"
    And "A" was restarted 5 times by itself
    And a person was called to "A" once, for its restarts

  @SV-AUTO-4
  Scenario: Who was stable begins anew
    Given session "A" is supervised and started again by itself
    When the agent of "A" dies 2 times
    And 700 seconds pass
    And the agent of "A" dies
    And 10 seconds pass
    Then the restarts of "A" came after "1, 2, 1" seconds

  @SV-AUTO-4
  Scenario: A day of crashes equals the policy's closed form
    Given session "A" is supervised and started again by itself
    When the agent of "A" dies every 700 seconds for a day
    Then the restarts of "A" follow the policy
    And "A" is "running"

  @SV-AUTO-5
  Scenario: A paused session is not restarted
    Given a supervisor whose first restart waits 30 s
    And session "A" is supervised and started again by itself
    And the agent of "A" hangs
    And a restart of "A" is scheduled
    When "A" is paused
    And 120 seconds pass
    Then the agent of "A" is the same
    And "A" is "paused"

  @SV-AUTO-5
  Scenario: A session is not restarted off its branch, and is once it is back
    Given a supervisor whose first restart waits 30 s
    And session "A" is supervised and started again by itself
    And the agent of "A" dies
    And a restart of "A" is scheduled
    When the workspace of "A" moves to the branch "elsewhere"
    And 120 seconds pass
    Then nothing of "A" runs
    When the workspace of "A" moves to the branch "work"
    Then the agent of "A" is another

  @SV-AUTO-6
  Scenario: An agent that hangs is restarted
    Given session "A" is supervised and started again by itself
    When the agent of "A" hangs
    Then the health of "A" failed
    And the agent of "A" is another

  @SV-AUTO-6
  Scenario: An agent that answers again is not restarted
    Given a supervisor whose first restart waits 30 s
    And session "A" is supervised and started again by itself
    And the agent of "A" hangs
    And a restart of "A" is scheduled
    When the agent of "A" answers again
    And 120 seconds pass
    Then the agent of "A" is the same
    And "A" is "running"
