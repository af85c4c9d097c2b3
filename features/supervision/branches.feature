@needs:containers
Feature: Branches

  @SV-BRANCH-2
  Scenario: A start on another branch is refused, and nothing is changed
    When session "A" is asked for on the branch "elsewhere"
    Then the answer is "branch_mismatch"
    And no container is there
    And there is no live record
    And the workspace of "A" is on the branch "work"

  @SV-BRANCH-3
  Scenario: A workspace that moves to another branch is told of, and left as it is
    Given session "A" is supervised and started again by itself
    When the workspace of "A" moves to the branch "elsewhere"
    Then the health of "A" failed
    And a person was called to "A" 1 times
    And "A" is unhealthy
    And the agent of "A" is the same
    And the workspace of "A" is on the branch "elsewhere"

  @SV-BRANCH-3
  Scenario: A detached workspace is told of
    Given session "A" is supervised
    When the workspace of "A" is detached
    Then the health of "A" failed

  @SV-BRANCH-3
  Scenario: A worktree that moves to another branch is told of
    Given the workspace of "A" is a worktree
    And session "A" is supervised
    When the workspace of "A" moves to the branch "elsewhere"
    Then the health of "A" failed

  @SV-BRANCH-4
  Scenario: Nothing is done off a session's branch until it is back
    Given session "A" is supervised without a message
    And the workspace of "A" moves to the branch "elsewhere"
    When "A" is told "psst"
    Then the answer is "branch_mismatch"
    When "A" is restarted
    Then the answer is "branch_mismatch"
    And the agent of "A" is the same
    When 2 checks pass
    And the workspace of "A" moves to the branch "work"
    Then "A" is healthy
    When "A" is told "go on"
    Then the agent of "A" was told "go on" once

  @SV-BRANCH-4
  Scenario: A paused session is not resumed off its branch
    Given session "A" is supervised
    And "A" is paused
    When the workspace of "A" moves to the branch "elsewhere"
    And "A" is resumed
    Then the answer is "branch_mismatch"
    And "A" is "paused"
