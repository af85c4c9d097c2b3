Feature: The manager is killed and comes back

  @LC-RESTART-1 @each-agent
  Scenario: Nothing runs unlisted after a restart
    Given session "A" is started
    And the agent of "A" completes its turn
    And session "A" is observable
    When the manager is killed and started again
    Then session "A" is listed as alive, or nothing of it is alive

  @LC-RESTART-1 @needs:processes=session
  Scenario: Nothing that left an agent's group runs unlisted after a restart
    Given the agent of "A" will start a setsid child
    And session "A" is started
    And the agent of "A" runs in its folder
    When the manager is killed and started again
    Then session "A" is listed as alive, or nothing of it is alive

  @LC-RESTART-1 @needs:serve
  Scenario: Nothing runs unlisted after a second restart
    Given session "A" is started
    And the agent of "A" completes its turn
    And session "A" is observable
    And the manager is killed and started again
    When the manager is killed and started again
    Then session "A" is listed as alive, or nothing of it is alive

  @LC-RESTART-1 @needs:serve
  Scenario: A kept session can be read after a restart
    Given session "A" is started
    And the agent of "A" completes its turn
    And session "A" is observable
    When the manager is killed and started again
    Then session "A" can be read, or nothing of it is alive

  @LC-RESTART-1
  Scenario: A kept session can be ended after a restart
    Given session "A" is started
    And the manager is killed and started again
    When session "A" is ended
    Then nothing of "A" is alive
    And session "A" is not listed as alive

  @LC-RESTART-1 @LC-CREATE-1
  Scenario: An id is not used again after a restart
    Given session "A" is started
    And the manager is killed and started again
    When session "B" is started
    Then LC-CREATE-1: session "B" has an id of its own

  @LC-CREATE-1 @needs:serve
  Scenario: The id of an ended session is not used again after a restart
    Given session "A" is started
    And session "A" is ended
    And the manager is killed and started again
    When session "B" is started
    Then session "B" has an id of its own

  @LC-RESTART-1b @LC-CREATE-3 @each-agent
  Scenario: After a restart a session has the agent that it had
    Given session "A" is started
    And the agent of "A" completes its turn
    When the manager is killed and started again
    And 1 s pass
    Then one agent of "A" was started
    And the agent of "A" was given its messages exactly once, in order, unaltered

  @LC-RESTART-1b @LC-CREATE-3
  Scenario: After a restart a session in its turn has the agent that it had
    Given session "A" is started
    And the agent of "A" works on turn 1
    When the manager is killed and started again
    And 1 s pass
    Then one agent of "A" was started
    And the agent of "A" was given its messages exactly once, in order, unaltered

  @LC-RESTART-2 @needs:record
  Scenario: One unreadable record costs one session
    Given session "earlier" is started
    And the manager is killed and started again
    And session "A" is started
    And session "B" is started
    When the manager is killed and started again with the record of "A" unreadable
    Then the manager came back
    And the sessions can be listed
    And session "B" is listed as alive, or nothing of it is alive

  @LC-RESTART-2 @needs:record
  Scenario Outline: A record that is no record costs one session: <record>
    Given session "A" is started
    And session "B" is started
    When the manager is killed and started again with "<record>" for the record of "A"
    Then the manager came back
    And the sessions can be listed
    And session "B" is listed as alive, or nothing of it is alive

    Examples:
      | record |
      | {}     |
      | []     |
      | null   |

  @LC-CLEAN-10 @needs:serve
  Scenario: What was ended stays ended
    Given session "A" is started
    And session "A" is ended
    When the manager is killed and started again
    Then session "A" is not listed as alive
    And nothing of "A" is alive

  @LC-CREATE-10 @needs:serve
  Scenario: A repeated request answers the same session after a restart
    Given session "A" is started with request id "req-1"
    And the manager is killed and started again
    When session "A" is started again with request id "req-1"
    Then the answer is "success"
    And the answer names session "A"
    And one agent of "A" was started
