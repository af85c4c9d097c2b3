@needs:containers
Feature: Starting

  @SV-START-1 @SV-STATE-1 @SV-REG-6
  Scenario: Start three sessions: each has an id, a container and an agent of its own
    When 3 sessions are supervised at once
    Then each has an id, a container and an agent of its own
    And SV-STATE-1: the states of each were "starting > running"

  @SV-START-2
  Scenario: A session runs when its agent takes input
    When session "A" is supervised without a message
    Then "A" was said to run when its agent was up
    When "A" is told "hello"
    Then the agent of "A" was told "hello" once

  @SV-START-3
  Scenario Outline: A start that fails leaves nothing: <what>
    Given the agent of "A" <how>
    When session "A" is supervised
    Then the answer is "agent_failed"
    And no container is there
    And there is no live record

    Examples:
      | what                | how               |
      | the agent exits     | will exit at once |
      | there is no program | will be missing   |

  @SV-START-3
  Scenario Outline: An engine that <does> a <call> is told of, and nothing is left
    Given the engine "<does>" one "<call>"
    When session "A" is supervised
    Then the answer is "engine_unavailable"
    And no container is there
    And there is no live record

    Examples:
      | does    | call   |
      | refuses | create |
      | fails   | create |
      | fails   | start  |

  @SV-START-4
  Scenario Outline: A lost answer to <call> leaves one container or none
    Given the engine "loses the reply to" one "<call>"
    When session "A" is supervised
    Then there is one container of "A", or none

    Examples:
      | call   |
      | create |
      | start  |
