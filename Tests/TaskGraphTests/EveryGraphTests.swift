import TaskGraph
import Testing

/// Every directed graph of up to four nodes and every acyclic one of five.
@Suite struct EveryGraphTests {
  /// The number of acyclic graphs with 1 to 5 labelled nodes (OEIS A003024).
  static let acyclicCounts = [1: 1, 2: 3, 3: 25, 4: 543, 5: 29281]

  @Test(arguments: 1...4) func cyclicGraphsAreRefusedWithARealCycle(count: Int) throws {
    try Digraph.each(of: count) { digraph in
      do throws(TaskGraphError) {
        _ = try TaskDependencyGraph(digraph.tasks)
        #expect(!digraph.isCyclic)
      } catch {
        guard case .cycle(let names) = error else {
          Issue.record("\(error)")
          return
        }
        #expect(digraph.isCyclic)
        let nodes = try names.map { try #require(Digraph.names.firstIndex(of: $0)) }
        #expect(nodes.count >= 3 && nodes.first == nodes.last)
        #expect(Set(nodes).count == nodes.count - 1, "visits each task once")
        #expect(nodes.first == nodes.min(), "begins with its earliest task")
        for (p, v) in zip(nodes, nodes.dropFirst()) { #expect(digraph.hasEdge(p, v)) }
        #expect(
          error.description
            == "the tasks form a cycle: \(names.joined(separator: " -> ")); remove one of these edges")
      }
    }
  }

  @Test(arguments: 1...5) func levelsAndAncestorsOfEveryAcyclicGraph(count: Int) throws {
    var seen = 0
    try Digraph.each(of: count) { digraph in
      guard !digraph.isCyclic else { return }
      seen += 1
      let graph = try TaskDependencyGraph(digraph.tasks)
      let closure = digraph.closure
      let names = Array(Digraph.names[..<count])
      // The level is the longest path: it respects the edges and is the smallest level that does.
      let depths = (0..<count).map(digraph.depth)
      let layers = (1...(depths.max() ?? 1)).map { k in
        names.indices.filter { depths[$0] == k }.map { names[$0] }
      }
      var holds =
        graph.tasks == names && graph.levels == layers && graph.topologicalOrder == layers.flatMap { $0 }
      for v in 0..<count {
        let name = names[v]
        let ancestors = Set(names.indices.filter { closure[v] >> UInt8($0) & 1 == 1 }.map { names[$0] })
        let parents = names.indices.filter { digraph.hasEdge($0, v) }.map { names[$0] }
        let inOrder = graph.topologicalOrder.filter(ancestors.contains)
        holds =
          holds && graph.level(of: name) == depths[v] && graph.ancestors(of: name) == inOrder
          && graph.parents(of: name) == parents
          && graph.children(of: name) == names.indices.filter { digraph.hasEdge(v, $0) }.map { names[$0] }
          && graph.prerequisites(of: name, rule: .ancestors) == inOrder
          && graph.prerequisites(of: name, rule: .direct) == graph.topologicalOrder.filter(parents.contains)
      }
      if !holds { Issue.record("\(digraph.tasks)") }
    }
    #expect(seen == Self.acyclicCounts[count])
  }

  @Test(arguments: 1...5) func phasesPartitionTheColumnsOfEveryAcyclicGraph(count: Int) throws {
    // Blocks of unequal width, so that confused tasks are detected.
    let widths = Array([2, 3, 1, 4, 2][..<count])
    let rank = widths.reduce(0, +)
    try Digraph.each(of: count) { digraph in
      guard !digraph.isCyclic else { return }
      let graph = try TaskDependencyGraph(digraph.tasks)
      let blocks = try RankBlocks(tasks: graph.tasks, ranks: widths)
      for rule in PrerequisiteRule.allCases {
        for ratio in [0, 0.5, 1] {
          let schedule = try PhaseSchedule(
            graph: graph, blocks: blocks, frozenRatio: ratio, prerequisiteRule: rule, rounds: 1)
          var holds = schedule.map(\.task) == graph.topologicalOrder
          for phase in schedule {
            var uses = [Int](repeating: 0, count: rank)
            for column in phase.frozen + phase.trainable + phase.masked { uses[column] += 1 }
            let needed = graph.prerequisites(of: phase.task, rule: rule)
            let frozen = needed.flatMap { name in
              blocks[name].prefix(
                ratio == 0.5 ? (blocks[name].count + 1) / 2 : Int(ratio) * blocks[name].count)
            }
            let inView = Set(([phase.task] + needed).flatMap { Array(blocks[$0]) })
            holds =
              holds && uses.allSatisfy { $0 == 1 } && phase.frozen == frozen.sorted()
              && Set(phase.active) == inView && phase.active == schedule.viewColumns(of: phase.task)
              && phase.block.allSatisfy(phase.trainable.contains)
              && [phase.frozen, phase.trainable, phase.masked, phase.active].allSatisfy { $0 == $0.sorted() }
          }
          if !holds { Issue.record("\(digraph.tasks), \(rule), \(ratio)") }
        }
      }
    }
  }

  /// Tasks are reported as independent exactly if neither touches anything that the other computes with.
  @Test(arguments: 2...4) func independenceIsExactForEveryAcyclicGraph(count: Int) throws {
    try Digraph.each(of: count) { digraph in
      guard !digraph.isCyclic else { return }
      let graph = try TaskDependencyGraph(digraph.tasks)
      let blocks = try RankBlocks(tasks: graph.tasks, rank: 2 * count)
      for rule in PrerequisiteRule.allCases {
        for ratio in [0, 0.5, 1] {
          let schedule = try PhaseSchedule(
            graph: graph, blocks: blocks, frozenRatio: ratio, prerequisiteRule: rule)
          for k in graph.levels.indices {
            let groups = schedule.independentGroups(level: k + 1)
            var holds = Set(groups.flatMap { $0 }) == Set(graph.levels[k])
            if ratio == 1 { holds = holds && groups == graph.levels[k].map { [$0] } }
            for u in graph.levels[k] {
              for v in graph.levels[k] where u != v {
                let touches = !Set(schedule.phase(of: u).trainable).isDisjoint(
                  with: schedule.phase(of: v).active)
                let together = groups.contains { $0.contains(u) && $0.contains(v) }
                holds = holds && (!touches || together)
              }
            }
            // No group can be split: in a larger group, each task touches another one or is touched by it.
            for group in groups where group.count > 1 {
              for u in group {
                holds =
                  holds
                  && group.contains { v in
                    v != u
                      && (!Set(schedule.phase(of: u).trainable).isDisjoint(with: schedule.phase(of: v).active)
                        || !Set(schedule.phase(of: v).trainable).isDisjoint(
                          with: schedule.phase(of: u).active))
                  }
              }
            }
            if !holds { Issue.record("\(digraph.tasks), \(rule), \(ratio), level \(k + 1): \(groups)") }
          }
        }
      }
    }
  }
}
