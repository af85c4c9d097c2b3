Feature: The manager is killed and comes back

  @LC-RESTART-1 @each-agent
  Scenario: Nothing runs unlisted after a restart
    Given session "A" is started
    And the agent of "A" completes its turn
    And session "A" is observable
    When the manager is killed and started again
    Then session "A" is listed as alive, or nothing of it is alive

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

  @LC-RESTART-2 @needs:record
  Scenario: One unreadable record costs one session
    Given session "A" is started
    And session "B" is started
    When the manager is killed and started again with the record of "A" unreadable
    Then session "B" is listed as alive, or nothing of it is alive
    And the sessions can be listed
