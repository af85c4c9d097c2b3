Feature: Ending sessions
  Every session is ended explicitly, and what was ended is gone: the process, what it started, the entry in the list.

  @LC-CLEAN-1 @each-agent
  Scenario: Ending a session ends its agent
    Given session "A" is started
    When session "A" is ended
    Then the answer is "success"
    And nothing of "A" is alive

  @LC-CLEAN-1 @each-agent @needs:processes=session
  Scenario Outline: Ending a session ends an agent that will <do>
    Given the agent of "A" will <do>
    And session "A" is started
    When session "A" is ended
    Then nothing of "A" is alive

    Examples:
      | do                       |
      | ignore HUP and TERM      |
      | start a background child |
      | start a stubborn child   |
      | start a setsid child     |

  @LC-CLEAN-1 @needs:processes=session
  Scenario: Ending a session ends an agent that is stopped
    Given session "A" is started
    And the agent of "A" is stopped
    When session "A" is ended
    Then the answer is "success"
    And nothing of "A" is alive

  @LC-CLEAN-1 @each-agent @needs:processes=session
  Scenario Outline: Ending a session whose agent died ends what it had started: it will <do>
    Given the agent of "A" will <do>
    And session "A" is started
    And the agent of "A" runs in its folder
    And the agent of "A" dies
    When session "A" is ended
    Then nothing of "A" is alive

    Examples:
      | do                       |
      | start a background child |
      | start a setsid child     |

  @LC-CLEAN-1
  Scenario: A session whose folder is gone can be ended
    Given session "A" is started
    And the folder of "A" is removed
    When session "A" is ended
    Then the answer is "success"
    And nothing of "A" is alive

  @LC-CLEAN-1b @needs:processes=session
  Scenario: Ending a session ends what left its agent's tree
    Given the agent of "A" will start a reparented child
    And session "A" is started
    When session "A" is ended
    Then nothing of "A" is alive

  @LC-CLEAN-2 @LC-CLEAN-2b @each-agent
  Scenario: An ended session is not listed
    Given session "A" is started
    And session "A" is observable
    When session "A" is ended
    Then session "A" is not listed as alive
    And LC-CLEAN-2b: session "A" is not listed

  @LC-CLEAN-3 @each-agent
  Scenario: An ended session is neither read nor sent to
    Given session "A" is started
    And session "A" is observable
    And session "A" is ended
    When session "A" is read
    Then the answer is that of an ended session
    When the message "plain" is sent to "A"
    Then the answer is "session_not_found or session_ended"

  @LC-CLEAN-4 @each-agent
  Scenario: An error on reading has ended nothing
    Given session "A" is started
    When session "A" is read 3 times
    Then the agent of "A" runs in its folder
    When session "A" is ended
    Then the answer is "success"
    And nothing of "A" is alive

  @LC-CLEAN-4 @each-agent
  Scenario: However often reading fails, nothing is ended
    Given session "A" is started
    And the agent of "A" works on turn 1
    When session "A" is read 12 times
    And a session that never was is read 12 times
    Then the agent of "A" noticed nothing
    And session "A" is not called ended
    When session "A" is ended
    Then the answer is "success"
    And nothing of "A" is alive

  @LC-CLEAN-4 @each-agent
  Scenario: A question that is wrong has ended nothing
    Given session "A" is started
    And the agent of "A" works on turn 1
    When session "A" is read 3 times with a tail that is no number
    Then the agent of "A" noticed nothing
    And session "A" is not called ended

  @LC-CLEAN-5
  Scenario: Ending a session that never was harms nobody
    Given session "A" is started
    When a session that never was is ended
    Then the answer is "session_not_found"
    And session "A" is unharmed

  @LC-CLEAN-5
  Scenario: Ending by a part of an id harms nobody
    Given 11 sessions are started one after the other
    When each session's id without its last character is ended, where that is no id
    Then every session is unharmed

  @LC-CLEAN-5
  Scenario: Ending what is nearly an id harms nobody
    Given session "A" is started
    When what is nearly the id of "A" is ended
    Then session "A" is unharmed

  @LC-CLEAN-6 @each-agent
  Scenario: Ending twice
    Given session "A" is started
    And session "B" is started
    And session "A" is ended
    When session "A" is ended
    Then the answer is "success or session_not_found or session_ended"
    And nothing of "A" is alive
    And session "B" is unharmed

  @LC-CLEAN-6
  Scenario: Ending twice at once
    Given session "A" is started
    When session "A" is ended twice at once
    Then the answer is "success or session_not_found or session_ended"
    And nothing of "A" is alive

  @LC-CLEAN-7 @each-agent @needs:processes=session
  Scenario: A session whose agent exited by itself can still be ended
    Given session "A" is started
    And the agent of "A" completes its turn
    And session "A" is observable
    And the agent of "A" exits
    And session "A" is not called alive within the announce limit
    Then session "A" is reported until it is ended
    When session "A" is ended
    Then the answer is "success"
    And session "A" is not listed as alive

  @LC-CLEAN-7 @each-agent
  Scenario: A session whose agent died by itself can still be ended
    Given session "A" is started
    And the agent of "A" completes its turn
    And session "A" is observable
    And the agent of "A" dies
    And session "A" is not called alive within the announce limit
    Then session "A" is reported until it is ended
    When session "A" is ended
    Then the answer is "success"
    And session "A" is not listed as alive

  @LC-CLEAN-8 @each-agent
  Scenario: Ending during the first turn leaves no orphan
    Given session "A" is started
    And the agent of "A" works on turn 1
    When session "A" is ended
    Then the answer is "success"
    And nothing of "A" is alive
    And session "A" is not listed as alive

  @LC-CLEAN-9 @each-agent
  Scenario: Ending one of several leaves the others
    Given 3 sessions are started one after the other
    And every agent completes its turn
    And every session is observable
    When session "2" is ended
    Then nothing of "2" is alive
    And every other session than "2" is unharmed
    And every other session than "2" is listed and readable

  @LC-CLEAN-9
  Scenario: Ending one of eleven leaves those whose ids begin alike
    Given 11 sessions are started one after the other
    When session "1" is ended
    Then every other session than "1" is unharmed

  @LC-CLEAN-9
  Scenario: Ending one of two in one directory leaves the other
    Given sessions "A" and "B" are started at once in one folder
    And every agent completes its turn
    When session "A" is ended
    Then nothing of "A" is alive
    And session "B" is unharmed

  @LC-CLEAN-9
  Scenario: Ending one while another starts leaves that
    Given session "A" is started
    And session "B" is started
    When session "A" is ended while session "C" is started
    Then nothing of "A" is alive
    And session "B" is unharmed
    And session "C" is unharmed

  @LC-CLEAN-10
  Scenario: Ended is final
    Given session "A" is started
    And session "A" is ended
    When session "A" is read
    And the message "plain" is sent to "A"
    And the sessions are listed
    And session "B" is started
    And 3 s pass
    Then nothing of "A" is alive
    And session "A" is not listed as alive

  @LC-CLEAN-11 @each-agent
  Scenario: Ending keeps the native file
    Given session "A" is started
    And the agent of "A" completes its turn
    And session "A" is observable
    When session "A" is ended
    Then the native files of "A" are still there

  @LC-CLEAN-12
  Scenario: Ending leaves what the agent has made
    Given session "A" is started
    And a file is made in the folder of "A"
    And the agent of "A" completes its turn
    When session "A" is ended
    Then the answer is "success"
    And the file in the folder of "A" is as it was made
