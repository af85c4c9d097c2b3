Feature: Sending messages

  @LC-SEND-1 @each-agent
  Scenario: Messages arrive once, in order, at their session alone
    Given session "A" is started
    And session "B" is started
    And the agent of "A" completes its turn
    When the message "plain" is sent to "A"
    And the agent of "A" completes its turn
    And the message "plain" is sent to "A"
    And the agent of "A" completes its turn
    Then the agent of "A" was given its messages exactly once, in order, unaltered
    And the agent of "B" was given its messages exactly once, in order, unaltered

  @LC-SEND-1
  Scenario: Messages to two sessions in one directory are not confused
    Given sessions "A" and "B" are started at once in one folder
    And every agent completes its turn
    When the message "plain" is sent to "A"
    Then the agent of "A" was given its messages exactly once, in order, unaltered
    When the message "plain" is sent to "B"
    Then every agent was given its messages exactly once, in order, unaltered

  @LC-SEND-1 @each-agent
  Scenario: A message that comes during a turn is taken after it
    Given session "A" is started
    And the agent of "A" works on turn 1
    When the message "plain" is sent to "A"
    And the agent of "A" completes its turn
    Then the agent of "A" was given its messages exactly once, in order, unaltered

  @LC-SEND-1 @each-agent
  Scenario: Messages that come during a turn are taken after it
    Given session "A" is started
    And the agent of "A" works on turn 1
    When the message "plain" is sent to "A"
    And the message "plain" is sent to "A"
    And the agent of "A" completes its turn
    And the agent of "A" completes its turn
    Then the agent of "A" was given its messages exactly once, in order, unaltered

  @LC-SEND-1
  Scenario Outline: A later message arrives unaltered: <message>
    Given session "A" is started
    And the agent of "A" completes its turn
    When the message "<message>" is sent to "A"
    Then the answer is "success"
    And the agent of "A" was given its messages exactly once, in order, unaltered

    Examples:
      | message         |
      | multi-line      |
      | quotes          |
      | shell           |
      | unicode         |
      | leading dash    |
      | tabs            |
      | blanks around   |
      | 4000 characters |

  @LC-SEND-2
  Scenario: A message to a session that was ended is refused
    Given session "A" is started
    And session "A" is ended
    When the message "plain" is sent to "A"
    Then the answer is "session_not_found or session_ended"
    And nothing of "A" is alive

  @LC-SEND-2
  Scenario: A message to a session that never was is refused
    When a message is sent to a session that never was
    Then the answer is "session_not_found"
    And nothing new is listed

  @LC-SEND-3
  Scenario: An empty message is refused or delivered
    Given session "A" is started
    And the agent of "A" completes its turn
    When the message "empty" is sent to "A"
    Then the answer is "success or invalid_argument"
    And session "A" is not called ended
