Feature: The worked examples

  @RS-RESUME-1 @RS-HOOK-1 @RS-HOOK-3
  Scenario: An approval pause is survived
    Given a stored session "A" with '{"task_id":"T001","workspace":"prod"}'
    And "A" moves to "planning"
    And "A" notes '{"plan_file":"plan.json"}'
    And "A" moves to "approval"
    And 10 minutes pass
    When a delegation is about to happen: '{"agent_name":"terraform-architect","agent_id":"$A"}'
    Then it is resumed
    And RS-HOOK-1: "resume_metadata/session_metadata/plan_file" of the answer is "plan.json"
    When "A" moves to "executing"
    And an agent has stopped: '{"agent_id":"$A","exit_code":0,"summary":"Terraform applied successfully"}'
    Then RS-HOOK-3: "outcome" of the answer is "completed"
    And RS-HOOK-3: "summary" of "A" is "Terraform applied successfully"
    And RS-PHASE-2: the history of "A" is "initializing > planning > approval > executing > completed"

  @RS-RESUME-1 @RS-META-1
  Scenario: An investigation goes on over three turns
    Given a stored session "A" of agent "gitops-operator" with '{"issue":"pod-crash-loop"}'
    And "A" moves to "investigating"
    And "A" notes '{"findings":["OOMKilled","resource limits"]}'
    And 5 minutes pass
    When the decision on "A" is asked for
    Then it is resumed
    And RS-META-1: "metadata" of "A" is '{"issue":"pod-crash-loop","findings":["OOMKilled","resource limits"]}'
    When "A" notes '{"findings":["OOMKilled","resource limits","config issue in deployment"]}'
    And 5 minutes pass
    And the decision on "A" is asked for
    Then it is resumed
    When "A" moves to "planning"
    And "A" notes '{"solution":"increase memory limits"}'
    And "A" moves to "executing"
    And "A" is finalized as "completed" with the summary "Fixed pod crash loop"
    Then RS-FINAL-1: "summary" of "A" is "Fixed pod crash loop"
    And RS-META-1: "metadata" of "A" is '{"issue":"pod-crash-loop","findings":["OOMKilled","resource limits","config issue in deployment"],"solution":"increase memory limits"}'
    And RS-PHASE-2: the history of "A" is "initializing > investigating > planning > executing > completed"

  @RS-RESUME-4
  Scenario: Nobody approved in time: a new session begins
    Given a stored session "A" with '{"task_id":"T001"}'
    And "A" moves to "approval"
    And 45 minutes pass
    When the decision on "A" is asked for
    Then it is not resumed
    And the reason is "timeout"
    When a stored session "B" with '{"task_id":"T001"}'
    Then RS-CREATE-1: "phase" of "B" is "initializing"
    And RS-RESUME-7: "phase" of "A" is "approval"
