import InputErrors

/// Which other tasks' rank columns a task may use.
package enum PrerequisiteRule: String, Sendable, Hashable, CaseIterable {
  /// Those of all tasks from which a path leads to the task.
  case ancestors
  /// Those of the task's parents only.
  case direct
}

/// A workflow's tasks and the answers that each of them reads: a validated directed acyclic graph.
///
/// An edge `p -> v` means that `v` reads the answer of `p`; `p` is then a parent of `v`.
///
/// - Precondition: names passed to the queries are tasks of the graph.
package struct TaskDependencyGraph: Sendable, Hashable {
  /// All task names, in file order.
  package let tasks: [String]
  /// The layers `S_1 ... S_L` of Kahn's topological sort. `levels[k - 1]` contains, in file order, the tasks
  /// whose parents are all in earlier levels, at least one of them in level `k - 1`.
  package let levels: [[String]]

  private let position: [String: Int]
  private let parentPositions: [[Int]]
  private let levelOfPosition: [Int]

  /// Validates tasks and edges and sorts them into levels.
  ///
  /// - Parameter tasks: each task's name and its parents' names, in file order.
  /// - Throws: `TaskGraphError` if there are no tasks, a name is empty or duplicated, a parent is unknown,
  ///   repeated or the task itself, or there is a cycle.
  package init(_ tasks: [(name: String, parents: [String])]) throws(TaskGraphError) {
    guard !tasks.isEmpty else { throw .noTasks }
    let names = tasks.map(\.name)
    var position: [String: Int] = [:]
    for (i, name) in names.enumerated() {
      guard !name.isEmpty else { throw .emptyName(position: i) }
      guard position.updateValue(i, forKey: name) == nil else { throw .duplicateTask(name) }
    }
    var parents: [[Int]] = []
    for task in tasks {
      var own: [Int] = []
      var known: Set<Int> = []
      for parent in task.parents {
        guard parent != task.name else { throw .selfEdge(parent) }
        guard let p = position[parent] else {
          let others = names.filter { $0 != task.name }
          throw .unknownParent(
            task: task.name, parent: parent, nearest: nearestName(to: parent, in: others), known: others)
        }
        guard known.insert(p).inserted else { throw .duplicateParent(task: task.name, parent: parent) }
        own.append(p)
      }
      parents.append(own)
    }
    let layers = try Self.layers(names: names, parents: parents)
    self.tasks = names
    self.position = position
    self.parentPositions = parents
    self.levels = layers.map { layer in layer.map { names[$0] } }
    var levelOf = [Int](repeating: 0, count: names.count)
    for (k, layer) in layers.enumerated() {
      for i in layer { levelOf[i] = k + 1 }
    }
    self.levelOfPosition = levelOf
  }

  /// All tasks, level by level, in file order within a level: parents come before their children.
  package var topologicalOrder: [String] { levels.flatMap { $0 } }

  /// The index of a task in file order; `nil` if there is none with this name.
  package func position(of task: String) -> Int? { position[task] }

  /// Whether the graph has a task with this name.
  package func contains(_ task: String) -> Bool { position[task] != nil }

  /// The number `k` of the task's level `S_k`, from 1.
  package func level(of task: String) -> Int { levelOfPosition[index(task)] }

  /// The tasks whose answers a task reads, in the order in which the task lists them.
  package func parents(of task: String) -> [String] { parentPositions[index(task)].map { tasks[$0] } }

  /// The tasks that read this task's answer, in file order.
  package func children(of task: String) -> [String] {
    let p = index(task)
    return tasks.indices.filter { parentPositions[$0].contains(p) }.map { tasks[$0] }
  }

  /// All tasks from which a path leads to this task, in topological order.
  package func ancestors(of task: String) -> [String] {
    var reached = [Bool](repeating: false, count: tasks.count)
    var left = parentPositions[index(task)]
    while let next = left.popLast() {
      guard !reached[next] else { continue }
      reached[next] = true
      left += parentPositions[next]
    }
    return inTopologicalOrder(reached)
  }

  /// The prerequisites `P(v)` of a task under a rule, in topological order.
  package func prerequisites(of task: String, rule: PrerequisiteRule) -> [String] {
    switch rule {
    case .ancestors:
      return ancestors(of: task)
    case .direct:
      var chosen = [Bool](repeating: false, count: tasks.count)
      for p in parentPositions[index(task)] { chosen[p] = true }
      return inTopologicalOrder(chosen)
    }
  }

  private func inTopologicalOrder(_ chosen: [Bool]) -> [String] {
    chosen.indices.filter { chosen[$0] }
      .sorted { (levelOfPosition[$0], $0) < (levelOfPosition[$1], $1) }
      .map { tasks[$0] }
  }

  /// The index of a task in file order.
  func index(_ task: String) -> Int {
    guard let index = position[task] else { preconditionFailure("'\(task)' is not a task of this graph") }
    return index
  }

  /// Kahn's algorithm, one layer at a time. Indices ascend within a layer.
  private static func layers(names: [String], parents: [[Int]]) throws(TaskGraphError) -> [[Int]] {
    var children = [[Int]](repeating: [], count: names.count)
    for (v, own) in parents.enumerated() {
      for p in own { children[p].append(v) }
    }
    var waitingFor = parents.map(\.count)
    var layers: [[Int]] = []
    var layer = names.indices.filter { waitingFor[$0] == 0 }
    var placed = 0
    while !layer.isEmpty {
      layers.append(layer)
      placed += layer.count
      var next: [Int] = []
      for p in layer {
        for v in children[p] {
          waitingFor[v] -= 1
          if waitingFor[v] == 0 { next.append(v) }
        }
      }
      layer = next.sorted()
    }
    guard placed == names.count else {
      throw .cycle(cycle(parents: parents, unplaced: waitingFor.map { $0 > 0 }).map { names[$0] })
    }
    return layers
  }

  /// One cycle among the tasks that Kahn's algorithm could not place, in the direction of the edges. It
  /// begins and ends with its earliest task.
  private static func cycle(parents: [[Int]], unplaced: [Bool]) -> [Int] {
    // Each unplaced task has an unplaced parent, so following those parents must reach a task again.
    var walk: [Int] = []
    var seenAt = [Int?](repeating: nil, count: parents.count)
    var next = unplaced.firstIndex(of: true)
    while let v = next, seenAt[v] == nil {
      seenAt[v] = walk.count
      walk.append(v)
      next = parents[v].first { unplaced[$0] }
    }
    guard let meeting = next, let start = seenAt[meeting] else {
      preconditionFailure("an unplaced task has an unplaced parent")
    }
    let loop = Array(walk[start...].reversed())
    guard let first = loop.indices.min(by: { loop[$0] < loop[$1] }) else { return [] }
    return Array(loop[first...] + loop[..<first]) + [loop[first]]
  }
}

extension TaskDependencyGraph {
  /// Two graphs are equal if they have the same tasks with the same parents in the same order.
  package static func == (a: Self, b: Self) -> Bool {
    a.tasks == b.tasks && a.parentPositions == b.parentPositions
  }

  package func hash(into hasher: inout Hasher) {
    hasher.combine(tasks)
    hasher.combine(parentPositions)
  }
}
