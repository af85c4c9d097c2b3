Feature: Creating sessions
  A session is created when its agent's process runs in the directory asked for and was given the message, and the
  caller holds an id that works.

  @LC-CREATE-1 @each-agent
  Scenario: Starting a session answers an id
    When session "A" is started
    Then the answer is "success"
    And session "A" has an id of its own

  @LC-CREATE-1
  Scenario: An id is not used again
    Given session "A" is started
    And session "A" is ended
    When session "B" is started
    Then the answer is "success"
    And session "B" has an id of its own

  @LC-CREATE-1
  Scenario: Ids of sessions that are started at once differ
    Given session "A" is started
    When sessions "B" and "C" are started at once in one folder
    Then session "B" has an id of its own
    And session "C" has an id of its own

  @LC-CREATE-1
  Scenario Outline: Sessions that have one title, <title>, have ids of their own
    Given session "A" is started with the title "<title>"
    When session "B" is started with the title "<title>"
    Then the answer is "success"
    And session "B" has an id of its own

    Examples:
      | title        |
      | review       |
      | ../x         |
      | it's größe 2 |

  @LC-CREATE-2 @each-agent
  Scenario: The agent runs when the session is started
    When session "A" is started
    Then the agent of "A" runs in its folder

  @LC-CREATE-3 @each-agent
  Scenario: The agent is started where it was asked to be
    When session "A" is started
    Then the agent of "A" runs in its folder
    And the agent of "A" was given its messages exactly once, in order, unaltered

  @LC-CREATE-3
  Scenario Outline: The agent is started in a folder named <name>
    When session "A" is started in a folder named "<name>"
    Then the agent of "A" runs in its folder
    And the agent of "A" was given its messages exactly once, in order, unaltered

    Examples:
      | name     |
      | a b      |
      | it's     |
      | größe 漢字 |

  @LC-CREATE-3
  Scenario: An agent that is to be asked nothing is asked nothing
    Given session "A" is started without a message
    Then the agent of "A" was given its messages exactly once, in order, unaltered

  @LC-CREATE-3
  Scenario Outline: The first message arrives unaltered: <message>
    When session "A" is started with the message "<message>"
    Then the answer is "success"
    And the agent of "A" was given its messages exactly once, in order, unaltered
    When the agent of "A" completes its turn
    Then the agent of "A" was given its messages exactly once, in order, unaltered

    Examples:
      | message          |
      | multi-line       |
      | quotes           |
      | shell            |
      | unicode          |
      | leading dash     |
      | spaces           |
      | tabs             |
      | blanks around    |
      | 4000 characters  |

  @LC-CREATE-3 @LC-CREATE-3b @LC-CREATE-3c
  Scenario: A message of the stated limit arrives unaltered
    When session "A" is started with the message "longest"
    Then LC-CREATE-3b: the answer is "success"
    And the agent of "A" was given all that was accepted, exactly once, in order, unaltered

  @LC-CREATE-3 @LC-CREATE-3b @LC-CREATE-3c
  Scenario: The stated limit is one of characters
    When session "A" is started with the message "longest of CJK"
    Then LC-CREATE-3b: the answer is "success"
    And the agent of "A" was given all that was accepted, exactly once, in order, unaltered

  @LC-CREATE-3c
  Scenario: A message beyond the stated limit is refused, not cut
    When session "A" is started with the message "too long"
    Then the message of "A" is refused, or where no limit is stated delivered whole

  @LC-CREATE-4 @each-agent
  Scenario: The id can be read, sent to and ended at once
    Given session "A" is started
    When session "A" is read
    Then the answer is "data or pending or session_pending or session_not_found"
    When the message "plain" is sent to "A"
    Then the answer is "success"
    When session "A" is ended
    Then the answer is "success"

  @LC-CREATE-5
  Scenario: An unknown agent is refused
    When session "A" is started with agent "no-such-agent"
    Then the answer is "unknown_agent"
    And no agent of "A" was started
    And nothing new is listed

  @LC-CREATE-5
  Scenario: No agent is an unknown agent
    When session "A" is started with agent ""
    Then the answer is "unknown_agent or invalid_argument"
    And no agent of "A" was started
    And nothing new is listed

  @LC-CREATE-5
  Scenario Outline: A working directory that <fault> is refused
    When session "A" is started in a folder that <fault>
    Then the answer is "invalid_argument"
    And no agent of "A" was started
    And nothing new is listed

    Examples:
      | fault          |
      | does not exist |
      | is a file      |

  @LC-CREATE-6 @each-agent
  Scenario Outline: An agent that will <fail> is not called alive
    Given the agent of "A" will <fail>
    When session "A" is started
    Then the start of "A" failed, or "A" is not called alive

    Examples:
      | fail                 |
      | be missing           |
      | exit with status 127 |
      | exit at once         |

  @LC-CREATE-7
  Scenario: Sessions started at once are distinct
    When 4 sessions are started at once
    Then all sessions are distinct
    And every agent was given its messages exactly once, in order, unaltered

  @LC-CREATE-7 @each-agent
  Scenario: Sessions started at once in one directory are distinct
    When sessions "A" and "B" are started at once in one folder
    Then all sessions are distinct
    And every agent was given its messages exactly once, in order, unaltered

  @LC-CREATE-7 @LC-CREATE-6b
  Scenario: Ten sessions of mixed agents that are started at once are distinct
    When 10 sessions of mixed agents are started at once
    Then all sessions are distinct
    And every agent was given its messages exactly once, in order, unaltered

  @LC-CREATE-8 @each-agent
  Scenario: The native file is its agent's alone
    Given session "A" is started
    When session "A" is read
    And the sessions are listed
    Then the native files of "A" are as its agent left them
    When the agent of "A" completes its turn
    And session "A" is read
    Then the native files of "A" are as its agent left them

  @LC-CREATE-9 @each-agent
  Scenario: Starting does not wait for the first turn
    When session "A" is started
    Then the answer is "success"
    And the first turn of "A" is still open

  @LC-CREATE-10
  Scenario: A repeated request answers the same session
    Given session "A" is started with request id "req-1"
    When session "A" is started again with request id "req-1"
    Then the answer is "success"
    And the answer names session "A"
    And one agent of "A" was started

  @LC-CREATE-10
  Scenario: A request that is repeated while it is at work answers the same session
    When session "A" is started twice at once with request id "req-1"
    Then the answer is "success"
    And the answer names session "A"
    And one agent of "A" was started

  @LC-CREATE-10
  Scenario: A repeated request starts nothing when its session was ended
    Given session "A" is started with request id "req-1"
    And session "A" is ended
    When session "A" is started again with request id "req-1"
    Then one agent of "A" was started

  @LC-CREATE-11
  Scenario: The list tells each session's own agent
    Given 3 sessions of mixed agents are started at once
    And every session is observable
    When the sessions are listed
    Then session "1" is listed with its agent
    And session "2" is listed with its agent
    And session "3" is listed with its agent

  @LC-CREATE-11 @each-agent
  Scenario: The list tells the agent
    Given session "A" is started
    And session "A" is observable
    When the sessions are listed
    Then session "A" is listed with its agent
