Feature: Echo
  @ECHO-1
  Scenario: What is said comes back
    When "hello" is said
    Then "hello" comes back
