Feature: Safe termination
  Know the agent; for Codex wait for its completion; end the session; verify with the list.

  @LC-TERM-1 @each-agent
  Scenario: The whole procedure leaves nothing
    Given session "A" is started
    And the agent of "A" completes its turn
    And the completion of "A" was learned
    When session "A" is ended
    Then the answer is "success"
    And nothing of "A" is alive
    And session "A" is not listed as alive

  @LC-TERM-2
  Scenario: Ten sessions of mixed agents at once
    Given 10 sessions of mixed agents are started at once
    And every agent completes its turn
    When all sessions are ended at once
    Then nothing of any session is alive
    And no session is listed as alive
