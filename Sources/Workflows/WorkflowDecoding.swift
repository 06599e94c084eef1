import InputErrors
import StrictYAML
import TaskGraph

extension Workflow {
  /// The maximum number of tasks. Phases list the columns of all prerequisites, so their memory grows with the
  /// square of it.
  static let maximumTasks = 1000
  static let fields = ["name", "model", "data", "system", "tasks", "lora", "training"]

  /// Decodes a workflow from YAML text.
  ///
  /// - Parameters:
  ///   - yaml: the text.
  ///   - file: the name of its file, for error messages and for paths relative to its folder.
  ///   - overrides: values set from outside the file, in the format of `applying(overrides:)`.
  /// - Throws: `FieldError` for the first error.
  package init(yaml: String, file: String, overrides: [String] = []) throws(FieldError) {
    guard var tree = try YAMLNode.parse(yaml, file: file), !tree.isNull else {
      throw FieldError(
        file: file, origin: nil, field: nil, problem: "there is no workflow in it",
        remedy: "give at least name, model, data and tasks")
    }
    for override in overrides { tree = try tree.overriding(override, file: file) }

    let root = try StrictFields(Field(file: file, path: "", node: tree), known: Self.fields)
    let nameRemedy = "give the workflow a name"
    let name = try root.required("name", nameRemedy).text(nameRemedy)
    guard !name.contains(where: \.isNewline) else {
      throw root.error("name", "has several lines", "give a name of one line")
    }
    let modelRemedy = "give a fetched model's name, a GGUF file or a Hugging Face folder"
    let modelField = try root.required("model", modelRemedy)
    let model = try modelField.text(modelRemedy)
    let dataRemedy = "give the folder with train.jsonl, valid.jsonl and test.jsonl"
    let data = try root.required("data", dataRemedy).text(dataRemedy)
    let isOverridden = if case .override? = modelField.node.origin { true } else { false }
    let system = try root["system"].flatMap { field throws(FieldError) in
      field.node.isNull ? nil : try field.anyText("give the system prompt")
    }
    let taskList = try TaskList(
      try root.required("tasks", "list at least one task with name and instruction"))
    let lora = try root.mapping("lora", known: LoRA.fields)
    let blocks = try taskList.rankBlocks(lora)
    let training = try Training(try root.mapping("training", known: Training.fields))
    let schedule: PhaseSchedule
    do throws(TaskGraphError) {
      schedule = try PhaseSchedule(
        graph: taskList.graph, blocks: blocks, frozenRatio: training.frozenRatio.initial,
        prerequisiteRule: training.prerequisites, freezeRule: training.freeze, rounds: training.rounds)
    } catch {
      throw root.error("training", error.problem, error.remedy)
    }
    self.init(
      name: name, model: model, data: data, system: system, tasks: taskList.tasks,
      lora: try LoRA(lora, rank: blocks.rank, tasks: blocks.tasks.count), training: training,
      graph: taskList.graph, rankBlocks: blocks,
      phaseSchedule: schedule, file: file, source: yaml,
      isModelOverridden: isOverridden, overrides: overrides)
  }
}

/// The decoded `tasks` list and its graph.
private struct TaskList {
  let tasks: [Workflow.TaskDefinition]
  let graph: TaskDependencyGraph
  private let fields: [StrictFields]

  init(_ list: Field) throws(FieldError) {
    let items = try list.list("- name: ...")
    guard items.count <= Workflow.maximumTasks else {
      throw list.error(
        "\(items.count) tasks are more than the \(Workflow.maximumTasks) that a workflow may have",
        "merge tasks, or split the workflow")
    }
    var tasks: [Workflow.TaskDefinition] = []
    var fields: [StrictFields] = []
    for item in items {
      let own = try Self.fields(of: item, in: list)
      fields.append(own)
      tasks.append(try Self.task(own))
    }
    self.tasks = tasks
    self.fields = fields
    do throws(TaskGraphError) {
      graph = try TaskDependencyGraph(tasks.map { ($0.name, $0.parents) })
    } catch {
      throw Self.located(error, list, tasks, fields)
    }
  }

  /// The fields of one task. If the task has a name, its path is `tasks.NAME`.
  private static func fields(of item: Field, in list: Field) throws(FieldError) -> StrictFields {
    var path = item.path
    if case .mapping(let entries) = item.node.content,
      let name = entries.first(where: { $0.key == "name" })?.value.text, !name.isEmpty
    {
      path = "\(list.path).\(name)"
    }
    return try StrictFields(
      Field(file: item.file, path: path, node: item.node),
      known: [
        "name", "instruction", "inputs", "parents", "question", "options", "maxTokens", "rank", "steps",
        "maxSteps",
      ])
  }

  private static func task(_ fields: StrictFields) throws(FieldError) -> Workflow.TaskDefinition {
    let nameRemedy = "give the task a name"
    let name = try fields.required("name", nameRemedy).text(nameRemedy)
    guard name.allSatisfy({ $0.isLetter || $0.isNumber || " _-".contains($0) }), trimmed(name) == name else {
      throw fields.error(
        "name", "'\(name)' is not a valid task name",
        "use letters, digits, '_' and '-', and spaces only between them")
    }
    let instructionRemedy = "say what the model is asked to do"
    let instruction = try fields.required("instruction", instructionRemedy).text(instructionRemedy)
    let inputs = try fields["inputs"]?.list("[scene, weather]") ?? []
    var shown: [String] = []
    var known: Set<String> = []
    for input in inputs {
      let name = try input.text("name an input of the episodes")
      guard known.insert(name).inserted else {
        throw input.error("the input '\(name)' is listed twice", "list it once")
      }
      shown.append(name)
    }
    var parents: [String] = []
    for parent in try fields["parents"]?.list("[perceive]") ?? [] {
      parents.append(try parent.text("name a task"))
    }
    let options = try options(fields["options"])
    return Workflow.TaskDefinition(
      name: name, instruction: instruction, inputs: shown, parents: parents,
      question: try fields["question"].flatMap { field throws(FieldError) in
        field.node.isNull ? nil : try field.text("write what is asked in every episode")
      },
      options: options, maxTokens: try maxTokens(fields["maxTokens"], options: options),
      rank: try fields["rank"].flatMap { field throws(FieldError) in
        field.node.isNull ? nil : try field.integer(1...RankBlocks.maximumRank)
      },
      steps: try stepCount(fields["steps"]), maxSteps: try stepCount(fields["maxSteps"]))
  }

  /// The options of a task; `nil` if there are none.
  private static func options(_ field: Field?) throws(FieldError) -> [String]? {
    guard let field, !field.node.isNull else { return nil }
    var options: [String] = []
    for item in try field.list("[brake, drive on]") {
      let option = try item.text("write an option")
      guard !normalizedSpace(option).isEmpty else { throw item.error("is empty", "write an option") }
      if let same = options.first(where: { normalizedSpace($0) == normalizedSpace(option) }) {
        throw item.error(
          same == option
            ? "the option '\(option)' is listed twice"
            : "the options '\(same)' and '\(option)' differ in white space alone",
          "make the options different")
      }
      options.append(option)
    }
    guard Workflow.TaskDefinition.optionCounts.contains(options.count) else {
      let counts = Workflow.TaskDefinition.optionCounts
      throw field.error(
        "a question cannot have \(options.count) options",
        "give \(counts.lowerBound) to \(counts.upperBound), or leave 'options' out for free text")
    }
    return options
  }

  /// The limit on the tokens of a free-text answer; `nil` for the default.
  private static func maxTokens(_ field: Field?, options: [String]?) throws(FieldError) -> Int? {
    guard let field, !field.node.isNull else { return nil }
    guard options == nil else {
      throw field.error(
        "the task has options, so its answers are not generated", "remove it, or remove the options")
    }
    return try field.integer(1...Workflow.TaskDefinition.maximumTokens)
  }

  private static func stepCount(_ field: Field?) throws(FieldError) -> Int? {
    guard let field, !field.node.isNull else { return nil }
    return try field.integer(1...Workflow.Training.maximumCount)
  }

  /// The rank blocks, from `lora.rank` and the tasks' ranks.
  func rankBlocks(_ lora: StrictFields) throws(FieldError) -> RankBlocks {
    let given = try lora["rank"]?.integer(1...RankBlocks.maximumRank)
    let ranks = tasks.map(\.rank)
    do throws(TaskGraphError) {
      return try RankBlocks(
        tasks: tasks.map(\.name), ranks: ranks, total: given ?? RankBlocks.defaultTotal(ranks: ranks))
    } catch {
      throw FieldError(
        file: lora.file, origin: lora["rank"]?.node.origin ?? lora.origin, field: "lora.rank",
        problem: error.problem, remedy: error.remedy)
    }
  }

  /// A graph error with the line and the field that it concerns.
  private static func located(
    _ error: TaskGraphError, _ list: Field, _ tasks: [Workflow.TaskDefinition], _ fields: [StrictFields]
  ) -> FieldError {
    func at(_ task: String, _ key: String, item: String? = nil) -> FieldError {
      guard let place = tasks.lastIndex(where: { $0.name == task }) else {
        return list.error(error.problem, error.remedy)
      }
      let found = item.flatMap { item in try? fields[place][key]?.list("").last { $0.node.text == item } }
      return FieldError(
        file: list.file, origin: (found ?? fields[place][key])?.node.origin ?? fields[place].origin,
        field: "\(fields[place].path).\(key)", problem: error.problem, remedy: error.remedy)
    }
    switch error {
    case .duplicateTask(let name): return at(name, "name")
    case .unknownParent(let task, let parent, _, _), .duplicateParent(let task, let parent):
      return at(task, "parents", item: parent)
    case .selfEdge(let name): return at(name, "parents", item: name)
    case .cycle(let names): return at(names[0], "parents")
    default: return list.error(error.problem, error.remedy)
    }
  }
}
