Feature: What agents note

  @RS-META-1
  Scenario: Updates merge at the top level
    Given a stored session "A" with '{"a":1,"b":{"x":1},"c":[1]}'
    When "A" notes '{"b":{"y":2},"d":null}'
    And "A" moves to "planning"
    Then "metadata" of "A" is '{"a":1,"b":{"y":2},"c":[1],"d":null}'

  @RS-META-1
  Scenario: Findings accumulate over turns
    Given a stored session "A" with '{"issue":"pod-crash-loop"}'
    When "A" moves to "investigating"
    And "A" notes '{"findings":["OOMKilled","resource limits"]}'
    And "A" notes '{"findings":["OOMKilled","resource limits","config issue in deployment"]}'
    And "A" moves to "planning"
    Then "metadata" of "A" is '{"issue":"pod-crash-loop","findings":["OOMKilled","resource limits","config issue in deployment"]}'

  @RS-META-2
  Scenario Outline: Values keep their types: <value>
    Given a stored session "A" with '{"first":<value>}'
    When "A" notes '{"second":<value>}'
    Then "metadata" of "A" is '{"first":<value>,"second":<value>}'

    Examples:
      | value                            |
      | 0                                |
      | -2.5                             |
      | 9007199254740993                 |
      | false                            |
      | null                             |
      | "7"                              |
      | "true"                           |
      | ""                               |
      | "é שלום 漢字 🦀"                 |
      | "two\\nlines and a \\"quote\\"" |
      | []                               |
      | {}                               |
      | [1,"1",[true,{"deep":[null]}]]   |

  @RS-ERR-1
  Scenario: Errors count and the last is kept
    Given a stored session "A"
    When "A" notes the error "first"
    And "A" notes the error "second"
    And "A" moves to "approval"
    And "A" notes '{"n":1}'
    Then "error_count" of "A" is "2"
    And "last_error" of "A" is "second"

  @RS-SEC-1
  Scenario Outline: What stands under <key> is not stored
    Given a stored session "A" with '{"<key>":"hunter2-first","plain":"stays"}'
    When "A" notes '{"nested":{"list":[{"<key>":"hunter2-second"}]}}'
    Then "hunter2" is nowhere in the record of "A"

    Examples:
      | key           |
      | token         |
      | GITHUB_TOKEN  |
      | password      |
      | db_password   |
      | secret        |
      | client_secret |
      | api_key       |
      | apiKey        |
      | Authorization |
      | private_key   |

  @RS-SEC-1
  Scenario: What means no secret is stored as it is
    Given a stored session "A" with '{"task_id":"T001","keyboard":"qwerty","token_count":512,"monkey":"see"}'
    Then "metadata" of "A" is '{"task_id":"T001","keyboard":"qwerty","token_count":512,"monkey":"see"}'
