import Testing
import Workflows

@Suite struct OverrideTests {
  @Test func overridesReplaceAndAddValues() throws {
    let workflow = try Workflow(
      yaml: Samples.full, file: "iov.yaml",
      overrides: [
        "training.learningRate=5e-4", "training.betas=[0.5, 0.75]", "training.betas.1 = 0.9",
        "tasks.next move.rank=8", "tasks.0.inputs=[radar]", "training.adaptive.initial=0.75",
        "training.maxSteps=null", "lora.targets=[o_proj]", "name='a: b'",
      ])
    #expect(workflow.training.learningRate == 5e-4)
    #expect(workflow.training.beta1 == 0.5 && workflow.training.beta2 == 0.9)
    #expect(workflow.tasks[1].rank == 8 && workflow.tasks[0].inputs == ["radar"])
    #expect(workflow.training.frozenRatio == .adaptive(initial: 0.75, tolerance: 0.1))
    #expect(workflow.training.maxSteps == nil && workflow.lora.targets == [.output])
    #expect(workflow.name == "a: b")
    let short = try Workflow(yaml: Samples.short, file: "x", overrides: ["training.adaptive.tolerance=0.2"])
    #expect(short.training.frozenRatio == .fixed(1))
    #expect(
      try short.applying(overrides: ["training.frozenRatio=adaptive"]).training.frozenRatio
        == .adaptive(initial: 0.5, tolerance: 0.2), "earlier overrides stay")
    let tasks = "tasks=[{name: a, instruction: b}, {name: c, instruction: d, parents: [a]}]"
    #expect(try short.applying(overrides: [tasks]).graph.levels == [["a"], ["c"]])
  }

  @Test func theLastOverrideOfAFieldWins() throws {
    let workflow = try Workflow(yaml: Samples.short, file: "x").applying(overrides: [
      "training.seed=1", "training.seed=2",
    ])
    #expect(workflow.training.seed == 2)
    #expect(workflow.overrides == ["training.seed=1", "training.seed=2"])
    #expect(try workflow == Workflow(yaml: Samples.short, file: "y", overrides: ["training.seed=2"]))
  }

  @Test(arguments: [
    ("seed", "there is no '='; write a field's path, '=' and its value, as in training.learningRate=5e-4"),
    (
      "training..seed=1",
      "the path before '=' has an empty part; write a field's path, '=' and its value, as in "
        + "training.learningRate=5e-4"
    ),
    (
      "training.learningrate=1",
      "field 'training.learningrate': not a known field; did you mean 'training.learningRate'?"
    ),
    (
      "training.rounds=0",
      "field 'training.rounds': 0 is outside 1...1000000; use a whole number in that range"
    ),
    (
      "training.betas=[0.9",
      "not valid YAML: did not find expected ',' or ']'; check indentation (spaces, no tabs), colons and quotes near there"
    ),
    ("name.x=1", "there is no field 'x' inside a single value; set the value itself"),
    ("tasks.decid.rank=4", "the list has no item 'decid'; did you mean 'decide'?"),
    ("tasks.7.rank=4", "the list has no item '7'; use one of: perceive, decide"),
    (
      "tasks.decide.rang=4", "field 'tasks.decide.rang': not a known field; did you mean 'tasks.decide.rank'?"
    ),
    ("tasks.decide.parents.3=a", "the list has no item '3'; use an index from 0 to 0"),
    (
      "system=a: b",
      "field 'system': expected text, found a mapping; put text with a colon in quotes"
    ),
    (
      "tasks.perceive.parents=[decide]",
      "field 'tasks.perceive.parents': the tasks form a cycle: perceive -> decide -> perceive; "
        + "remove one of these edges"
    ),
    (
      "lora.rank=3",
      "field 'lora.rank': rank 3 does not divide evenly among 2 tasks; use 2 or 4, "
        + "or give each task its own rank"
    ),
  ])
  func refusals(override: String, message: String) {
    #expect(Samples.refusal(Samples.short, [override]) == "override '\(override)': \(message)")
  }
}
