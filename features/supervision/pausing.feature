@needs:containers
Feature: Pausing

  @SV-PAUSE-1
  Scenario: Pause one session: its input is detached, its container remains
    Given session "A" is supervised
    When "A" is paused
    And the agent of "A" completes its turn with "done"
    Then the agent of "A" noticed nothing
    And the container of "A" is not frozen
    And the turn of "A" was completed
    And "A" is "paused"

  @SV-PAUSE-2
  Scenario: Nothing is typed while a session is paused
    Given session "A" is supervised without a message
    When "A" is paused
    And "A" is told "psst"
    Then nothing was typed to "A"
    When "A" is resumed
    Then "psst" reached "A" once, or was refused

  @SV-PAUSE-3
  Scenario: Resume reattaches: what was written is there, and input works
    Given session "A" is supervised
    When "A" is paused
    And the agent of "A" completes its turn with "written meanwhile"
    And "A" is resumed
    Then the text of "A" has "written meanwhile" once
    When "A" is told "and on"
    Then the agent of "A" was told "and on" once

  @SV-PAUSE-4
  Scenario: A pause that is configured to freeze freezes, and its end thaws
    Given a supervisor that pauses by freezing
    And session "A" is supervised without a message
    When "A" is paused
    Then the container of "A" is frozen
    When "A" is resumed
    Then the container of "A" is not frozen
    When "A" is told "go on"
    Then the agent of "A" was told "go on" once

  @SV-PAUSE-4
  Scenario: A pause that is configured to signal signals, and so does its end
    Given a supervisor that pauses by the signal "TSTP" and resumes by "CONT"
    And session "A" is supervised
    When "A" is paused
    Then the agent of "A" got the signal "TSTP"
    When "A" is resumed
    Then the agent of "A" got the signal "CONT"

  @SV-PAUSE-5
  Scenario: Pausing twice is pausing, and so is resuming
    Given session "A" is supervised
    And "A" is paused
    When "A" is paused
    Then the answer is "success"
    And "A" is "paused"
    When "A" is resumed
    And "A" is resumed
    Then the answer is "success"
    And "A" is "running"

  @SV-PAUSE-5
  Scenario: What was stopped cannot be paused or resumed
    Given session "A" is supervised
    And "A" is stopped
    When "A" is paused
    Then the answer is "invalid_transition"
    When "A" is resumed
    Then the answer is "invalid_transition"
    And "A" is "stopped"

  @SV-PAUSE-5 @SV-STATE-1
  Scenario: What ended by itself cannot be paused
    Given session "A" is supervised
    And the agent of "A" dies
    And "A" is "error"
    When "A" is paused
    Then the answer is "invalid_transition"
    And "A" is "error"

  @SV-PAUSE-6
  Scenario: A paused session is stopped
    Given session "A" is supervised
    And "A" is paused
    When "A" is stopped
    Then the answer is "success"
    And "A" is "stopped"
    And nothing of "A" runs

  @SV-PAUSE-6
  Scenario: A paused session is restarted
    Given session "A" is supervised
    And "A" is paused
    When "A" is restarted
    Then the answer is "success"
    And "A" is "running"
    And the agent of "A" is another

  @SV-PAUSE-6
  Scenario: A session that is paused by freezing is stopped
    Given a supervisor that pauses by freezing
    And session "A" is supervised
    And "A" is paused
    When "A" is stopped
    Then the answer is "success"
    And nothing of "A" runs

  @SV-PAUSE-7 @SV-REG-6
  Scenario: A death in a pause is noticed
    Given session "A" is supervised
    And "A" is paused
    When the agent of "A" dies
    Then "A" is "error"
