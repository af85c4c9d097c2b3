@needs:containers
Feature: Health

  @SV-HEALTH-1 @SV-REG-6
  Scenario Outline: Force-stop a container: one that was <done> is marked `error`
    Given session "A" is supervised
    When the container of "A" is <done> by somebody
    Then "A" is "error"

    Examples:
      | done    |
      | killed  |
      | removed |

  @SV-HEALTH-1
  Scenario Outline: A container that was <done> is noticed where the engine tells nothing by itself
    Given session "A" is supervised
    And the engine tells nothing by itself
    When the container of "A" is <done> by somebody
    Then "A" is "error"

    Examples:
      | done    |
      | killed  |
      | removed |

  @SV-HEALTH-1b @SV-REG-6
  Scenario: A death that the engine denies is noticed
    Given session "A" is supervised
    When the death of "A" is denied by the engine
    Then "A" is "error"

  @SV-HEALTH-2
  Scenario: An agent that hangs is noticed after as many checks as the policy says
    Given session "A" is supervised
    When the agent of "A" hangs
    Then the health of "A" fails after as many checks as the policy says
    And "A" is unhealthy

  @SV-HEALTH-2
  Scenario: An answer begins the count anew
    Given session "A" is supervised
    When the agent of "A" hangs
    And 2 pings of "A" go unanswered
    And the agent of "A" answers again
    And 2 checks pass
    And the agent of "A" hangs
    And 2 pings of "A" go unanswered
    And the agent of "A" answers again
    And 2 checks pass
    Then the health of "A" never failed

  @SV-HEALTH-2
  Scenario: An agent that answers again is well again
    Given session "A" is supervised
    And the agent of "A" hangs
    And the health of "A" failed
    When the agent of "A" answers again
    Then "A" is healthy
    And the agent of "A" is the same

  @SV-HEALTH-3
  Scenario: An agent that works does not hang
    Given session "A" is supervised and started again by itself
    When the agent of "A" works without answering
    And 3600 seconds pass
    Then the health of "A" never failed
    And the agent of "A" is the same

  @SV-HEALTH-3
  Scenario: A paused session is not pinged, and not unhealthy
    Given session "A" is supervised and started again by itself
    When "A" is paused
    And 10 checks pass
    Then "A" was not pinged
    And the health of "A" never failed
    And "A" is "paused"

  @SV-HEALTH-4
  Scenario Outline: An engine that <does> everything for an hour is no dead container
    Given session "A" is supervised and started again by itself
    When the engine "<does>" everything
    And 3600 seconds pass
    Then "A" is "running"
    And the engine was asked less often than when it is well
    When the engine is well again
    And 120 seconds pass
    Then "A" is "running"
    And the agent of "A" is the same
    And the health of "A" never failed

    Examples:
      | does    |
      | refuses |
      | fails   |
      | stalls  |

  @SV-HEALTH-5
  Scenario: A ping is no turn, is not in the transcript, and leaves no process
    Given session "A" is supervised
    And the agent of "A" completes its turn with "done"
    When 10 checks pass
    Then the agent of "A" was told nothing but "begin"
    And the text of "A" has no "/status"
    And nothing was executed in the container of "A"

  @SV-HEALTH-5
  Scenario: Who asks for the health of all is told
    Given session "A" is supervised
    When the health of all is asked for
    Then the health of "A" is told
    And nothing was executed in the container of "A"

  @SV-HEALTH-6
  Scenario: A person is called once an episode
    Given session "A" is supervised
    When the agent of "A" hangs
    And 12 checks pass
    Then a person was called to "A" 1 times
    When the agent of "A" answers again
    And 3 checks pass
    And the agent of "A" hangs
    And 12 checks pass
    Then a person was called to "A" 2 times

  @SV-HEALTH-7
  Scenario: A check that is stuck delays no other
    Given session "A" is supervised
    And session "B" is supervised
    When the agent of "A" hangs
    And the agent of "B" hangs
    Then the health of "B" failed
