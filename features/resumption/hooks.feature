Feature: The two hooks

  @RS-HOOK-1
  Scenario: A delegation resumes a session that waits for approval
    Given a stored session "A" with '{"task_id":"T001"}'
    And "A" moves to "planning"
    And "A" moves to "approval"
    When a delegation is about to happen: '{"agent_name":"terraform-architect","agent_id":"$A","task_description":"apply"}'
    Then it is resumed
    And the reason is "session_resumable"
    And "agent_id" of the answer is "$A"
    And "resume_metadata/previous_phase" of the answer is "approval"
    And "resume_metadata/session_metadata" of the answer is '{"task_id":"T001"}'
    And "resume_metadata/history/0/to_phase" of the answer is "planning"
    And "resume_metadata/history/1/to_phase" of the answer is "approval"
    And "original_context" of the answer is '{"agent_name":"terraform-architect","agent_id":"$A","task_description":"apply"}'

  @RS-HOOK-1
  Scenario: A delegation does not resume what cannot be resumed
    Given a stored session "A"
    And "A" moves to "executing"
    When a delegation is about to happen: '{"agent_name":"terraform-architect","agent_id":"$A"}'
    Then it is not resumed
    And the reason is "not_ready"
    And "resume_metadata" of the answer is "null"
    And "original_context" of the answer is '{"agent_name":"terraform-architect","agent_id":"$A"}'

  @RS-RESUME-7 @needs:pre_delegate
  Scenario: A delegation leaves the record as it is
    Given a stored session "A"
    And "A" moves to "approval"
    And 20 minutes pass
    And "A" is remembered
    When a delegation is about to happen: '{"agent_name":"terraform-architect","agent_id":"$A"}'
    Then "A" is as it was

  @RS-HOOK-2
  Scenario: Without an id the newest session of the agent and the task is resumed
    Given a stored session "A" with '{"task_id":"T001"}'
    And 1 seconds pass
    And a stored session "B" with '{"task_id":"T001"}'
    And 1 seconds pass
    And a stored session "C" with '{"task_id":"T002"}'
    And 1 seconds pass
    And a stored session "D" of agent "gitops-operator" with '{"task_id":"T001"}'
    And "A" moves to "approval"
    And "B" moves to "approval"
    And "C" moves to "approval"
    And "D" moves to "approval"
    When a delegation is about to happen: '{"agent_name":"terraform-architect","task_id":"T001"}'
    Then it is resumed
    And "agent_id" of the answer is "$B"

  @RS-HOOK-2
  Scenario: Of the newest, it is the newest that can be resumed
    Given a stored session "A" with '{"task_id":"T001"}'
    And 1 seconds pass
    And a stored session "B" with '{"task_id":"T001"}'
    And "A" moves to "approval"
    And "B" moves to "executing"
    When a delegation is about to happen: '{"agent_name":"terraform-architect","task_id":"T001"}'
    Then it is resumed
    And "agent_id" of the answer is "$A"

  @RS-HOOK-2
  Scenario Outline: Another's session is not resumed: <input>
    Given a stored session "A" with '{"task_id":"T001"}'
    And "A" moves to "approval"
    When a delegation is about to happen: '<input>'
    Then it is not resumed
    And the reason is "not_found"

    Examples:
      | input                                                  |
      | {"agent_name":"terraform-architect","task_id":"T002"}  |
      | {"agent_name":"gitops-operator","task_id":"T001"}      |

  @RS-HOOK-3
  Scenario Outline: An agent that stopped with <status> has <outcome>
    Given a stored session "A"
    And "A" moves to "executing"
    When an agent has stopped: '<input>'
    Then "finalized" of the answer is "true"
    And "outcome" of the answer is "<outcome>"
    And "phase" of "A" is "<outcome>"
    And "summary" of "A" is "Terraform applied"

    Examples:
      | status    | outcome   | input                                                               |
      | 0         | completed | {"agent_id":"$A","exit_code":0,"summary":"Terraform applied"}       |
      | no status | completed | {"agent_id":"$A","summary":"Terraform applied"}                     |
      | 1         | failed    | {"agent_id":"$A","exit_code":1,"summary":"Terraform applied"}       |
      | 137       | failed    | {"agent_id":"$A","exit_code":137,"summary":"Terraform applied"}     |

  @RS-HOOK-4
  Scenario Outline: A hook answers whatever it is given: <input>
    When a delegation is about to happen: '<input>'
    Then the answer is "success"
    And it is not resumed
    When an agent has stopped: '<input>'
    Then the answer is "success"
    And it is not resumed

    Examples:
      | input                                                         |
      |                                                               |
      | {                                                             |
      | null                                                          |
      | []                                                            |
      | "text"                                                        |
      | {}                                                            |
      | {"agent_name":7,"agent_id":["x"],"exit_code":"one"}           |
      | {"agent_name":"a","agent_id":"agent-20200101-000000-00000000"} |
      | {"agent_name":"a","agent_id":"../../etc/passwd"}              |

  @RS-HOOK-4 @needs:record
  Scenario: A corrupt record keeps no agent from working
    Given a stored session "A"
    And "A" moves to "approval"
    And the record of "A" is "torn"
    When a delegation is about to happen: '{"agent_name":"terraform-architect","agent_id":"$A"}'
    Then the answer is "success"
    And it is not resumed
    And RS-RESUME-8: the reason is "corrupt"
    When an agent has stopped: '{"agent_id":"$A","exit_code":0}'
    Then the answer is "success"
    And it is not resumed
