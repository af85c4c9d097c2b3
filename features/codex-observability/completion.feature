@agent:codex
Feature: Learning that a Codex turn is complete

  @CX-3
  Scenario: A turn's completion is announced once, and not early
    Given session "A" is started
    And the agent of "A" works on turn 1
    Then nothing was announced for "A"
    When the agent of "A" completes its turn
    Then turn 1 of "A" is announced once

  @CX-3
  Scenario: Every turn's completion is announced
    Given session "A" is started
    And the agent of "A" completes its turn
    And turn 1 of "A" was announced
    When the message "plain" is sent to "A"
    And the agent of "A" completes its turn
    Then turn 2 of "A" is announced once

  @CX-3
  Scenario: The completions of eleven turns are each announced once
    Given session "A" is started
    And the agent of "A" completes its turn
    When 10 messages are sent to "A", each in its turn
    Then turn 3 of "A" was announced
    And turn 10 of "A" was announced
    And turn 11 of "A" is announced once

  @CX-3
  Scenario: Turns that complete at once are all announced
    Given 4 sessions are started at once
    When every agent completes its turn at once
    Then turn 1 of every session is announced once

  @CX-3
  Scenario: A completion is announced while the caller is busy
    Given session "A" is started
    And session "B" is started
    And the agent of "A" works on turn 1
    When the agent of "A" completes its turn while "B" is read over and over
    Then turn 1 of "A" is announced once

  @CX-3 @stream
  Scenario: A completion is announced on the stream
    Given session "A" is started
    When the agent of "A" completes its turn
    Then turn 1 of "A" is announced once

  @CX-3 @needs:serve
  Scenario: A completion is not lost when the manager restarts
    Given session "A" is started
    And the agent of "A" works on turn 1
    And the manager is killed and started again
    When the agent of "A" completes its turn
    Then turn 1 of "A" is announced, or "A" is not called alive

  @CX-3 @needs:serve
  Scenario: A turn in flight is not completed by a restart
    Given session "A" is started
    And the agent of "A" works on turn 1
    When the manager is killed and started again
    Then no turn of "A" was announced as completed

  @CX-4
  Scenario: At its announcement the session is observable
    Given session "A" is started
    When the agent of "A" completes its turn
    And turn 1 of "A" was announced
    Then session "A" is listed and readable at the first look

  @CX-5
  Scenario: The first turn's data has the first prompt and reply
    Given session "A" is started
    And the agent of "A" completes its turn
    Then the data of "A" has come to turn 1
    And the data of "A" has its turns in order and nobody else's

  @CX-7
  Scenario: Two sessions in one directory are not confused
    Given sessions "A" and "B" are started at once in one folder
    When the agent of "B" completes its turn
    And the agent of "A" completes its turn
    Then the data of "A" has come to turn 1
    And the data of "B" has come to turn 1
    And the data of "A" has its turns in order and nobody else's
    And the data of "B" has its turns in order and nobody else's

  @CX-7
  Scenario: A session without a file is not shown its neighbour's
    Given sessions "A" and "B" are started at once in one folder
    When the agent of "B" completes its turn
    Then the data of "B" has come to turn 1
    And the data of "A" has its turns in order and nobody else's

  @CX-7 @needs:announcements
  Scenario: Completions in one directory are announced for the right session
    Given sessions "A" and "B" are started at once in one folder
    When the agent of "B" completes its turn
    Then turn 1 of "B" is announced once
    And nothing was announced for "A"
