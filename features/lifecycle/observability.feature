Feature: Observing sessions
  From the phase at which its agent's profile makes it observable, a session is listed and readable; before that it may
  be pending, never ended.

  @LC-OBS-1 @each-agent
  Scenario: A session becomes observable at its phase
    Given the sessions are listed
    And session "A" is started
    And session "A" is read
    When session "A" reaches its observable phase
    Then session "A" is listed and readable within the observe limit

  @LC-OBS-2 @each-agent
  Scenario: An observable session stays observable during later turns
    Given session "A" is started
    And the agent of "A" completes its turn
    And session "A" is observable
    When the message "plain" is sent to "A"
    And the agent of "A" works on turn 2
    Then session "A" is listed and readable at every look

  @LC-OBS-2 @each-agent
  Scenario: An idle session stays observable
    Given session "A" is started
    And the agent of "A" completes its turn
    And session "A" is observable
    When session "B" is started
    And session "B" is ended
    And session "C" is started
    Then session "A" is listed and readable at every look

  @LC-OBS-2
  Scenario: Each of eleven sessions stays observable
    Given 11 sessions are started one after the other
    And every agent completes its turn
    And every session is observable
    When session "12" is started
    Then every other session than "12" is listed and readable

  @LC-OBS-2
  Scenario: Two sessions in one folder are both there
    Given sessions "A" and "B" are started at once in one folder
    And every agent completes its turn
    Then every session is observable

  @LC-OBS-2
  Scenario: A session whose folder is gone is still there
    Given session "A" is started
    And the agent of "A" completes its turn
    And session "A" is observable
    When the folder of "A" is removed
    Then session "A" is listed and readable within the observe limit

  @LC-OBS-3 @LC-OBS-3b @each-agent
  Scenario: Before it is observable a session is pending, not ended
    Given session "A" is started
    And session "A" is not yet observable
    When session "A" is read
    Then the answer is "data or pending or session_pending or session_not_found"
    And LC-OBS-3b: the answer is "data or pending or session_pending"
    And session "A" is not called ended

  @LC-OBS-3 @each-agent
  Scenario: The end of what is not there yet is pending, too
    Given session "A" is started
    And session "A" is not yet observable
    When the last 100 characters of "A" are read
    Then the answer is "data or pending or session_pending or session_not_found"

  @LC-OBS-4
  Scenario: What was said twice is shown twice
    Given session "A" is started
    And the agent of "A" completes its turn
    And the first message is sent to "A" again
    And the agent of "A" completes its turn
    Then the data of "A" shows its first message 2 times

  @LC-OBS-4 @each-agent
  Scenario: The data has every turn, in order, and nobody else's
    Given session "A" is started
    And session "B" is started
    And the agent of "A" completes its turn
    And the agent of "B" completes its turn
    And session "A" is observable
    And the message "plain" is sent to "A"
    And the agent of "A" completes its turn
    Then the data of "A" has come to turn 2
    And the data of "A" has its turns in order and nobody else's

  @LC-OBS-4
  Scenario: A part of an id is no session's
    Given 11 sessions are started one after the other
    And every agent completes its turn
    When each session's id without its last character is read, where that is no id
    Then none of the answers is data

  @LC-OBS-5 @LC-OBS-5b @each-agent
  Scenario Outline: A long transcript of <kind> text is cut at its start
    Given session "A" is started
    And the agent of "A" completes its turn with a reply of 60000 <kind> characters
    Then the data of "A" has come to turn 1
    When session "A" is read
    Then the text is at most 48000 characters
    And the text is marked as cut and ends with the end of the transcript
    And LC-OBS-5b: the text has at least nine tenths of what was asked for

    Examples:
      | kind  |
      | ASCII |
      | CJK   |
      | emoji |

  @LC-OBS-5
  Scenario Outline: A transcript with <length> <kind> characters is cut between them
    Given session "A" is started
    And the agent of "A" completes its turn with a reply of <length> <kind> characters
    Then the data of "A" has come to turn 1
    When session "A" is read
    Then the text is at most 48000 characters
    And the text is marked as cut and ends with the end of the transcript

    Examples:
      | length | kind      |
      | 60001  | Cyrillic  |
      | 60001  | CJK       |
      | 60002  | CJK       |
      | 60001  | emoji     |
      | 60002  | emoji     |
      | 60003  | emoji     |
      | 60001  | combining |

  @LC-OBS-5 @LC-OBS-5b
  Scenario Outline: Wherever <kind> text is cut, its characters are whole
    Given session "A" is started
    And the agent of "A" completes its turn
    And the data of "A" has come to turn 1
    And the message "plain" is sent to "A"
    And the agent of "A" completes its turn with a reply of 2000 <kind> characters
    And the data of "A" has come to turn 2
    Then the last 500 to 511 characters of "A" are whole, and end with the end of the transcript
    And LC-OBS-5b: the text has at least nine tenths of what was asked for

    Examples:
      | kind      |
      | ASCII     |
      | Cyrillic  |
      | CJK       |
      | emoji     |
      | combining |

  @LC-OBS-5 @LC-OBS-5b
  Scenario Outline: Asking for the last <tail> characters
    Given session "A" is started
    And the agent of "A" completes its turn with a reply of 60000 CJK characters
    Then the data of "A" has come to turn 1
    When the last <tail> characters of "A" are read
    Then the answer is "data"
    And the text is at most <most> characters
    And the text is marked as cut and ends with the end of the transcript
    And LC-OBS-5b: the text has at least nine tenths of what was asked for

    Examples:
      | tail       | most  |
      | 500        | 500   |
      | 48000      | 48000 |
      | 48001      | 48000 |
      | 2000000000 | 48000 |
      | 0          | 48000 |
      | -1         | 48000 |

  @LC-OBS-5
  Scenario: A short transcript is not cut
    Given session "A" is started
    And the agent of "A" completes its turn
    And session "A" is observable
    When the data of "A" has come to turn 1
    Then the text is not marked as cut

  @LC-OBS-6 @each-agent
  Scenario: Reading changes nothing
    Given session "A" is started
    And the agent of "A" completes its turn
    And session "A" is observable
    And the data of "A" has come to turn 1
    When session "A" is read 5 times
    Then the answers agree
    And the agent of "A" noticed nothing
    And the native files of "A" are as its agent left them

  @LC-OBS-6 @each-agent
  Scenario: The first reads disturb nothing
    Given session "A" is started
    And the agent of "A" completes its turn
    When session "A" is read 3 times
    Then the agent of "A" noticed nothing

  @LC-OBS-6 @each-agent
  Scenario: Reading changes no status in a turn
    Given session "A" is started
    And the agent of "A" works on turn 1
    When the status of "A" is noted
    And session "A" is read 3 times
    Then the status of "A" is as it was noted

  @LC-OBS-6 @each-agent
  Scenario: Reading changes no status between turns
    Given session "A" is started
    And the agent of "A" completes its turn
    When the status of "A" is noted
    And session "A" is read 3 times
    Then the status of "A" is as it was noted

  @LC-OBS-7 @each-agent
  Scenario: An agent that died by itself is not called alive
    Given session "A" is started
    And the agent of "A" completes its turn
    And session "A" is observable
    When the agent of "A" dies
    Then session "A" is not called alive within the announce limit

  @LC-OBS-7 @each-agent @needs:processes=session
  Scenario: An agent that dies in a later turn is not called alive
    Given session "A" is started
    And the agent of "A" completes its turn
    And the message "plain" is sent to "A"
    And the agent of "A" works on turn 2
    When the agent of "A" dies
    Then session "A" is not called alive within the announce limit

  @LC-OBS-7 @each-agent
  Scenario: A busy agent is not called ended
    Given session "A" is started
    And the agent of "A" completes its turn
    And session "A" is observable
    When the message "plain" is sent to "A"
    And the agent of "A" works on turn 2
    Then session "A" is not called ended

  @LC-OBS-7 @each-agent
  Scenario: An agent that was asked nothing yet is not called ended
    Given session "A" is started without a message
    Then session "A" is not called ended

  @LC-OBS-7 @each-agent @needs:serve
  Scenario: An agent that dies after the manager came back is not called alive
    Given session "A" is started
    And the agent of "A" completes its turn
    And session "A" is observable
    And the manager is killed and started again
    When the agent of "A" dies
    Then session "A" is not called alive within the announce limit

  @LC-OBS-8 @each-agent
  Scenario: A silent agent is not dead
    Given the agent of "A" will be silent
    And session "A" is started
    Then session "A" is not called ended
    When the agent of "A" completes its turn
    Then session "A" is not called ended

  @LC-OBS-8 @each-agent @virtual
  Scenario: A slow agent is not dead
    Given session "A" is started
    When 2 h pass
    Then session "A" is not called ended

  @LC-OBS-8 @each-agent
  Scenario: A stopped agent is not dead
    Given session "A" is started
    And session "A" is observable
    When the agent of "A" is stopped
    And 3 s pass
    Then session "A" is not called ended
    When the agent of "A" goes on
    Then session "A" is not called ended

  @LC-OBS-8
  Scenario: A noisy agent does not drown its session
    Given the agent of "A" will print 2 MB
    And session "A" is started
    When the agent of "A" completes its turn
    Then session "A" is listed and readable within the observe limit
