Feature: Session timeouts

  @LC-TIME-1
  Scenario: The default timeout is stated
    When session "A" is started
    Then the timeout of "A" is stated

  @LC-TIME-1
  Scenario: A timeout of one's own is stated
    When session "A" is started with a timeout of 90000 s
    Then the timeout of "A" is stated

  @LC-TIME-2 @virtual
  Scenario: A timeout of more than a day is one
    Given session "A" is started with a timeout of 90000 s
    And the agent of "A" completes its turn
    When 20 h pass
    Then session "A" is not called ended

  @LC-TIME-2 @LC-TIME-3
  Scenario: A session times out when it was told to
    Given session "A" is started with a timeout of 3 s
    And the agent of "A" completes its turn
    When 1 s pass
    Then session "A" is not called ended
    And LC-TIME-2: session "A" times out within 3 s
    And LC-TIME-3: nothing of "A" is alive
    And LC-TIME-3: session "A" is not listed as alive
    And LC-TIME-3: the end of "A" is announced, where ends are announced

  @LC-TIME-2
  Scenario: A session that was asked nothing times out
    Given session "A" is started without a message and with a timeout of 2 s
    Then session "A" times out within 3 s

  @LC-TIME-3 @needs:processes=session
  Scenario: A session times out though nobody asks
    Given session "A" is started with a timeout of 2 s
    And the agent of "A" completes its turn
    Then nothing of "A" is alive 2 s after its timeout, unasked

  @LC-TIME-3 @needs:processes=session
  Scenario: What an agent started is gone when its session has timed out
    Given the agent of "A" will start a setsid child
    And session "A" is started with a timeout of 2 s
    And the agent of "A" completes its turn
    Then nothing of "A" is alive 2 s after its timeout, unasked

  @LC-TIME-2 @needs:serve
  Scenario: A timeout holds over a restart
    Given session "A" is started with a timeout of 3 s
    And the agent of "A" completes its turn
    And the manager is killed and started again
    Then session "A" times out within 3 s

  @LC-TIME-4
  Scenario: Activity postpones the timeout
    Given session "A" is started with a timeout of 3 s
    And the agent of "A" completes its turn
    When 2 s pass
    And the message "plain" is sent to "A"
    And the agent of "A" completes its turn
    And 2 s pass
    Then session "A" is not called ended
    And the agent of "A" runs in its folder

  @LC-TIME-4
  Scenario: A turn in flight postpones the timeout
    Given session "A" is started with a timeout of 2 s
    And the agent of "A" works on turn 1
    When 5 s pass
    Then session "A" is not called ended
    And the agent of "A" runs in its folder
