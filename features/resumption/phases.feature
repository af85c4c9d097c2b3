Feature: Phases of stored sessions

  @RS-PHASE-1
  Scenario Outline: A phase that nobody knows is refused: <phase>
    Given a stored session "A"
    When "A" moves to "<phase>"
    Then the answer is "invalid_argument"
    And "phase" of "A" is "initializing"

    Examples:
      | phase      |
      | thinking   |
      | Approval   |
      | executing! |
      | running    |

  @RS-PHASE-2
  Scenario: History tells every change, in order
    Given a stored session "A"
    When "A" moves to "investigating"
    And 5 minutes pass
    And "A" moves to "planning"
    And "A" moves to "planning"
    And 5 minutes pass
    And "A" moves to "executing"
    And "A" notes '{"step":1}'
    And "A" is finalized as "completed"
    Then the history of "A" is "initializing > investigating > planning > planning > executing > completed"

  @RS-PHASE-3
  Scenario: A refused update changes nothing
    Given a stored session "A" with '{"task_id":"T001"}'
    And "A" moves to "approval"
    And "A" is remembered
    When "A" moves to "thinking", noting '{"task_id":"T002","more":true}' and the error "it failed"
    Then RS-PHASE-1: the answer is "invalid_argument"
    And "A" is as it was

  @RS-PHASE-3
  Scenario: A session that never was cannot be updated
    When a session that never was moves to "approval"
    Then the answer is "session_not_found"

  @RS-PHASE-4
  Scenario Outline: What is <outcome> stays <outcome>
    Given a stored session "A"
    And "A" moves to "approval"
    And "A" is finalized as "<outcome>"
    And "A" is remembered
    When "A" moves to "approval"
    Then the answer is "session_ended"
    When "A" notes '{"late":true}'
    Then the answer is "session_ended"
    When "A" is finalized as "<other>"
    Then the answer is "session_ended"
    And "A" is as it was

    Examples:
      | outcome   | other     |
      | completed | failed    |
      | failed    | completed |
      | abandoned | completed |

  @RS-PHASE-5
  Scenario Outline: An update to <phase> is a finalization
    Given a stored session "A"
    And 5 minutes pass
    And "A" moves to "approval"
    And 5 minutes pass
    When "A" moves to "<phase>"
    Then the answer is "success"
    And "phase" of "A" is "<phase>"
    And "finalized_at" of "A" is a time
    And "duration_seconds" of "A" is about 600
    And "resume_ready" of "A" is "false"

    Examples:
      | phase     |
      | completed |
      | failed    |
      | abandoned |

  @RS-PHASE-6
  Scenario Outline: resume_ready follows the phase: <phase>
    Given a stored session "A"
    And "A" moves to "<before>"
    When "A" moves to "<phase>"
    Then "resume_ready" of "A" is "<ready>"

    Examples:
      | before    | phase         | ready |
      | executing | investigating | true  |
      | executing | planning      | true  |
      | executing | approval      | true  |
      | approval  | executing     | false |
      | approval  | validating    | false |
      | planning  | initializing  | false |
