@agent:codex
Feature: Codex during its first turn
  The session exists and runs; its native file may not be there yet. Nobody may conclude that it ended.

  @CX-2
  Scenario: Every account calls it alive
    Given session "A" is started
    And the agent of "A" works on turn 1
    Then session "A" is not called ended

  @CX-2
  Scenario: Every account calls it alive, with others about
    Given session "A" is started
    And the agent of "A" works on turn 1
    When session "B" is started
    And the agent of "B" completes its turn
    And session "B" is ended
    Then session "A" is not called ended

  @CX-8
  Scenario: The screen can be captured
    Given session "A" is started
    And session "B" is started
    And the agent of "A" works on turn 1
    When the screen of "A" is captured
    Then the answer is "success"
    And the screen of "A" shows what it was given, and nobody else's
    And the screen of "B" shows what it was given, and nobody else's

  @CX-9 @CX-3 @virtual
  Scenario: A first turn of 23 hours changes nothing
    Given session "A" is started
    When 23 h pass
    Then session "A" is not called ended
    When the agent of "A" completes its turn
    Then CX-9: session "A" is listed and readable within the observe limit
    And CX-3: turn 1 of "A" is announced once

  @CX-10
  Scenario: Asking disturbs nothing
    Given session "A" is started
    And the agent of "A" works on turn 1
    When session "A" is read 5 times
    And the sessions are listed
    Then the agent of "A" noticed nothing
    And the native files of "A" are as its agent left them
    When the agent of "A" completes its turn
    Then session "A" is listed and readable within the observe limit

  @CX-6
  Scenario: A first turn whose agent is killed is not silence for ever
    Given session "A" is started
    And the agent of "A" works on turn 1
    When the agent of "A" dies
    Then the failure of "A" is announced or reported

  @CX-6
  Scenario: A first turn that fails is not silence for ever
    Given session "A" is started
    And the agent of "A" works on turn 1
    When the agent of "A" fails its turn
    Then the failure of "A" is announced or reported
