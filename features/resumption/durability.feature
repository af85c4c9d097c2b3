Feature: Records that last

  @RS-DUR-1
  Scenario: Updates at once are all kept
    Given a stored session "A"
    When 8 updates of "A" are made at once
    Then all 8 updates of "A" are in its record

  @RS-DUR-1 @RS-DUR-2
  Scenario: Four writers lose nothing, one update after the other
    Given a stored session "A"
    When 4 writers update "A" 10 times each
    Then all 40 updates of "A" are in its record
    And RS-DUR-2: each reading found a whole record

  @RS-DUR-2
  Scenario: Who reads during updates reads whole records
    Given a stored session "A"
    When 8 updates of "A" are made at once
    Then each reading found a whole record

  @RS-DUR-3
  Scenario: A record is replaced, not overwritten where it lies
    Given a stored session "A"
    And the record of "A" is held open
    When "A" moves to "planning"
    Then what was held open is the whole record of before
    And the history of "A" is "initializing > planning"

  @RS-DUR-3 @needs:kill
  Scenario: A writer that is killed leaves the record of before or of after
    Given a stored session "A"
    When 20 updates of "A" are killed
    Then each kill left the record of before or of after
    When "A" moves to "executing"
    Then the answer is "success"
    And "phase" of "A" is "executing"

  @RS-DUR-4
  Scenario: A record is its owner's alone
    When a stored session "A"
    Then the file of "A" is its owner's alone
    When "A" moves to "approval"
    Then the file of "A" is its owner's alone
    When "A" is finalized as "completed"
    Then the file of "A" is its owner's alone

  @RS-DUR-5
  Scenario: A record that another tool wrote is read, and its own fields are kept
    Given a stored session "A"
    And "A" moves to "approval"
    And another tool writes the record of "A"
    When the decision on "A" is asked for
    Then it is resumed
    And "error_count" of "A" is "0"
    When "A" notes '{"n":1}'
    Then the answer is "success"
    And "x_other_tool" of "A" is '{"kept":[1,2.5,null]}'
    And "metadata" of "A" is '{"n":1}'
    And "last_updated" of "A" is a time
