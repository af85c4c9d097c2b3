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
  Scenario: What is said twice is said twice
    Given session "A" is started
    And the agent of "A" completes its turn
    When the first message is sent to "A" again
    Then the agent of "A" was given its messages exactly once, in order, unaltered
    When the agent of "A" completes its turn
    And the first message is sent to "A" again
    Then the answer is "success"
    And the agent of "A" was given its messages exactly once, in order, unaltered

  @LC-SEND-1
  Scenario: Messages that come at once arrive whole
    Given session "A" is started
    And the agent of "A" completes its turn
    When 2 messages are sent to "A" at once
    Then the answer is "success"
    When the agent of "A" completes its turn
    Then the agent of "A" was given its messages exactly once, in order, unaltered

  @LC-SEND-1
  Scenario: A message whose turn takes long is not given again
    Given session "A" is started
    And the agent of "A" completes its turn
    When the message "plain" is sent to "A"
    And the agent of "A" works on turn 2
    And 3 s pass
    And the agent of "A" completes its turn
    Then the agent of "A" was given its messages exactly once, in order, unaltered

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

  @LC-SEND-1 @each-agent
  Scenario: Eleven messages arrive each once
    Given session "A" is started
    And session "B" is started
    And the agent of "A" completes its turn
    When 10 messages are sent to "A", each in its turn
    Then the agent of "A" was given its messages exactly once, in order, unaltered
    And the agent of "B" was given its messages exactly once, in order, unaltered

  @LC-SEND-1 @virtual
  Scenario: A message after a long silence arrives
    Given session "A" is started
    And the agent of "A" completes its turn
    When 20 h pass
    And the message "plain" is sent to "A"
    Then the agent of "A" was given its messages exactly once, in order, unaltered

  @LC-SEND-1 @needs:serve
  Scenario: Messages after a restart arrive each once
    Given session "A" is started
    And the agent of "A" completes its turn
    And the manager is killed and started again
    And session "A" is listed as alive, or nothing of it is alive
    When 3 messages are sent to "A", each in its turn
    Then the agent of "A" was given its messages exactly once, in order, unaltered

  @LC-SEND-1
  Scenario Outline: A later message arrives unaltered: <message>
    Given session "A" is started
    And the agent of "A" completes its turn
    When the message "<message>" is sent to "A"
    Then the answer is "success"
    And the agent of "A" was given its messages exactly once, in order, unaltered
    When the agent of "A" completes its turn
    Then the agent of "A" was given its messages exactly once, in order, unaltered

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

  @LC-SEND-1 @LC-CREATE-3b @LC-CREATE-3c
  Scenario: A later message of the stated limit arrives unaltered
    Given session "A" is started
    And the agent of "A" completes its turn
    When the message "longest" is sent to "A"
    Then LC-CREATE-3b: the answer is "success"
    And the agent of "A" was given all that was accepted, exactly once, in order, unaltered

  @LC-CREATE-3c
  Scenario: A later message beyond the stated limit is refused, not cut
    Given session "A" is started
    And the agent of "A" completes its turn
    When the message "too long" is sent to "A"
    Then the message of "A" is refused, or where no limit is stated delivered whole

  @LC-SEND-2
  Scenario: A message to a session that was ended is refused
    Given session "A" is started
    And session "A" is ended
    When the message "plain" is sent to "A"
    Then the answer is "session_not_found or session_ended"
    And nothing of "A" is alive

  @LC-SEND-2 @needs:processes=session
  Scenario Outline: A message to a session whose agent <ends> runs nothing
    Given session "A" is started
    And the agent of "A" completes its turn
    And the agent of "A" <ends>
    When the message "command" is sent to "A"
    Then nothing was run by the messages to "A"

    Examples:
      | ends  |
      | dies  |
      | exits |

  @LC-SEND-2
  Scenario: A message to a session that never was is refused
    When a message is sent to a session that never was
    Then the answer is "session_not_found"
    And nothing new is listed

  @LC-SEND-2
  Scenario: A message to a session that never was reaches nobody
    Given session "A" is started
    And session "B" is started
    And every agent completes its turn
    When a message is sent to a session that never was
    Then the answer is "session_not_found"
    And every session is unharmed

  @LC-SEND-2
  Scenario: A message to a session that was ended reaches nobody else
    Given session "A" is started
    And session "B" is started
    And session "C" is started
    And every agent completes its turn
    And session "B" is ended
    When the message "plain" is sent to "B"
    Then the agent of "A" was given its messages exactly once, in order, unaltered
    And the agent of "C" was given its messages exactly once, in order, unaltered

  @LC-SEND-2
  Scenario: A message to what is nearly an id reaches nobody
    Given session "A" is started
    And the agent of "A" completes its turn
    When a message is sent to what is nearly the id of "A"
    Then session "A" is unharmed

  @LC-SEND-2
  Scenario: A message to a part of an id reaches nobody
    Given 11 sessions are started one after the other
    And every agent completes its turn
    When a message is sent to each session's id without its last character, where that is no id
    Then every session is unharmed

  @LC-SEND-3
  Scenario: An empty message is refused or delivered
    Given session "A" is started
    And the agent of "A" completes its turn
    When the message "empty" is sent to "A"
    Then the answer is "success or invalid_argument"
    And session "A" is not called ended
