Feature: Whether a session is resumed

  @RS-RESUME-1
  Scenario Outline: A session in <phase> is resumed
    Given a stored session "A"
    And "A" moves to "<phase>"
    When 10 minutes pass
    And the decision on "A" is asked for
    Then it is resumed
    And the reason is "session_resumable"

    Examples:
      | phase         |
      | approval      |
      | investigating |
      | planning      |

  @RS-RESUME-2
  Scenario Outline: A session in <phase> is not
    Given a stored session "A"
    And "A" moves to "approval"
    And "A" moves to "<phase>"
    When the decision on "A" is asked for
    Then it is not resumed
    And RS-RESUME-3: the reason is "not_ready"

    Examples:
      | phase        |
      | initializing |
      | executing    |
      | validating   |

  @RS-RESUME-2
  Scenario: A session that never was is not resumed
    When the decision on a session that never was is asked for
    Then it is not resumed
    And RS-RESUME-3: the reason is "not_found"

  @RS-RESUME-2 @needs:record
  Scenario: The phase decides, even of a record that says it is ready
    Given a stored session "A"
    And "A" moves to "executing"
    And the record of "A" says that its "resume_ready" is "true"
    When the decision on "A" is asked for
    Then it is not resumed
    And RS-RESUME-3: the reason is "phase_not_resumable"

  @RS-RESUME-2 @needs:record
  Scenario: Readiness decides, even in a phase that can be resumed
    Given a stored session "A"
    And "A" moves to "approval"
    And the record of "A" says that its "resume_ready" is "false"
    When the decision on "A" is asked for
    Then it is not resumed
    And RS-RESUME-3: the reason is "not_ready"

  @RS-RESUME-3
  Scenario: What is over is over before it is anything else
    Given a stored session "A"
    And "A" moves to "approval"
    And "A" notes the error "one"
    And "A" notes the error "two"
    And "A" notes the error "three"
    And "A" is finalized as "failed"
    And 31 minutes pass
    When the decision on "A" is asked for
    Then the reason is "finalized"

  @RS-RESUME-3
  Scenario: What is not ready is that before it is too old
    Given a stored session "A"
    And "A" moves to "executing"
    And "A" notes the error "one"
    And "A" notes the error "two"
    And "A" notes the error "three"
    And 31 minutes pass
    When the decision on "A" is asked for
    Then the reason is "not_ready"

  @RS-RESUME-3
  Scenario: What is too old is that before it has failed too often
    Given a stored session "A"
    And "A" moves to "approval"
    And "A" notes the error "one"
    And "A" notes the error "two"
    And "A" notes the error "three"
    And 31 minutes pass
    When the decision on "A" is asked for
    Then the reason is "timeout"

  @RS-RESUME-3 @needs:record
  Scenario: What cannot be resumed in its phase is that before its clock is wrong
    Given a stored session "A"
    And "A" moves to "executing"
    And the record of "A" says that its "resume_ready" is "true"
    And the last activity of "A" lies 600 seconds ahead
    When the decision on "A" is asked for
    Then the reason is "phase_not_resumable"

  @RS-RESUME-4
  Scenario: Just under thirty minutes are not too long
    Given a stored session "A"
    And "A" moves to "approval"
    When just under 30 minutes pass
    And the decision on "A" is asked for
    Then it is resumed

  @RS-RESUME-4 @virtual
  Scenario: Thirty minutes are, exactly
    Given a stored session "A"
    And "A" moves to "approval"
    When 30 minutes pass
    And the decision on "A" is asked for
    Then it is not resumed
    And the reason is "timeout"

  @RS-RESUME-4
  Scenario: Thirty minutes and a second are
    Given a stored session "A"
    And "A" moves to "approval"
    When 1801 seconds pass
    And the decision on "A" is asked for
    Then it is not resumed
    And the reason is "timeout"

  @RS-RESUME-4
  Scenario: It is the last activity that counts, whatever it was
    Given a stored session "A"
    And "A" moves to "approval"
    And 20 minutes pass
    And "A" notes '{"asked":"again"}'
    When 20 minutes pass
    And the decision on "A" is asked for
    Then it is resumed

  @RS-RESUME-5
  Scenario: Two errors are not too many
    Given a stored session "A"
    And "A" moves to "approval"
    And "A" notes the error "one"
    And "A" notes the error "two"
    When the decision on "A" is asked for
    Then it is resumed

  @RS-RESUME-5
  Scenario: Three are
    Given a stored session "A"
    And "A" moves to "approval"
    And "A" notes the error "one"
    And "A" notes the error "two"
    And "A" notes the error "three"
    When the decision on "A" is asked for
    Then it is not resumed
    And the reason is "too_many_errors"

  @RS-RESUME-6
  Scenario: Clocks differ a little
    Given a stored session "A"
    And "A" moves to "approval"
    And the last activity of "A" lies 30 seconds ahead
    When the decision on "A" is asked for
    Then it is resumed

  @RS-RESUME-6
  Scenario: The future is no recent past
    Given a stored session "A"
    And "A" moves to "approval"
    And the last activity of "A" lies 600 seconds ahead
    When the decision on "A" is asked for
    Then it is not resumed
    And the reason is "clock_skew"

  @RS-RESUME-7
  Scenario: Deciding leaves the record as it is
    Given a stored session "A"
    And "A" moves to "approval"
    When 20 minutes pass
    And the decision on "A" is asked for
    And 11 minutes pass
    And the decision on "A" is asked for
    Then it is not resumed
    And "error_count" of "A" is "0"
    And "resume_ready" of "A" is "true"
    And the history of "A" is "initializing > approval"

  @RS-RESUME-7
  Scenario: Deciding leaves every field as it is
    Given a stored session "A"
    And "A" moves to "approval"
    And 20 minutes pass
    And "A" is remembered
    When the decision on "A" is asked for
    Then "A" is as it was

  @RS-RESUME-8
  Scenario Outline: A record that is <corrupt> is not resumed
    Given a stored session "A"
    And "A" moves to "approval"
    And the record of "A" is "<corrupt>"
    When the decision on "A" is asked for
    Then it is not resumed
    And the reason is "corrupt"
    And the spoilt record is as it was spoilt

    Examples:
      | corrupt             |
      | empty               |
      | torn                |
      | no JSON             |
      | no object           |
      | without a phase     |
      | of an unknown phase |
      | without a time      |
