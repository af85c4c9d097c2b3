Feature: Creating stored sessions

  @RS-CREATE-1
  Scenario: A new session has a fresh record
    When a stored session "A" with '{"task_id":"T001","tags":["terraform","infrastructure"]}'
    Then the answer is "success"
    And "phase" of "A" is "initializing"
    And "resume_ready" of "A" is "false"
    And "history" of "A" is "[]"
    And "error_count" of "A" is "0"
    And "last_error" of "A" is "null"
    And "finalized_at" of "A" is "null"
    And "agent_name" of "A" is "terraform-architect"
    And "purpose" of "A" is "approval_workflow"
    And "metadata" of "A" is '{"task_id":"T001","tags":["terraform","infrastructure"]}'
    And "created_at" of "A" is a time

  @RS-CREATE-2
  Scenario: Sessions that are created at once get ids of their own
    When 8 sessions are created at once
    Then every one of them has an id and a record of its own

  @RS-CREATE-3
  Scenario: A session that is there is refused and stays as it is
    Given a stored session "A" with '{"task_id":"T001"}'
    And "A" moves to "approval"
    And "A" is remembered
    When session "A" is created again
    Then the answer is "already_exists"
    And "A" is as it was

  @RS-CREATE-4
  Scenario Outline: An id that is no plain name is refused: <id>
    When a stored session with the id "<id>"
    Then the answer is "invalid_argument"
    And nothing of it is outside of the store

    Examples:
      | id             |
      | empty          |
      | parent         |
      | far parent     |
      | absolute       |
      | slash          |
      | backslash      |
      | hidden         |
      | dots           |
      | line break     |
      | 129 characters |
