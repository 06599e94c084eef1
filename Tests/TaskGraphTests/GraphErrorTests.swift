import InputErrors
import TaskGraph
import Testing

@Suite struct GraphErrorTests {
  @Test func everyRefusedGraphSaysWhyAndWhatToDo() {
    let cases: [([(name: String, parents: [String])], String)] = [
      ([], "there are no tasks; list at least one task"),
      ([("a", []), ("", [])], "task number 2 has an empty name; give it a name"),
      ([("a", []), ("b", []), ("a", [])], "there are two tasks named 'a'; rename one of them"),
      (
        [("perceive", []), ("decide", ["percieve"])],
        "task 'decide' has the parent 'percieve', which is not a task; did you mean 'perceive'?"
      ),
      (
        [("perceive", []), ("predict", []), ("decide", ["x"])],
        "task 'decide' has the parent 'x', which is not a task; use one of: perceive, predict"
      ),
      ([("a", []), ("b", ["a", "a"])], "task 'b' lists the parent 'a' twice; list it once"),
      ([("a", ["a"])], "task 'a' is its own parent; remove it from its own parents"),
      (
        [("a", ["c"]), ("b", ["a"]), ("c", ["b"])],
        "the tasks form a cycle: a -> b -> c -> a; remove one of these edges"
      ),
      (
        [("root", []), ("late", ["y"]), ("y", ["x", "root"]), ("x", ["y"])],
        "the tasks form a cycle: y -> x -> y; remove one of these edges"
      ),
    ]
    for (tasks, message) in cases {
      do throws(TaskGraphError) {
        _ = try TaskDependencyGraph(tasks)
        Issue.record("accepted, should say: \(message)")
      } catch {
        #expect(error.description == message)
      }
    }
  }

  @Test func aLongChainNeedsNoDeepStack() throws {
    let names = (0..<20_000).map { "t\($0)" }
    let chain = names.indices.map { (name: names[$0], parents: $0 == 0 ? [] : [names[$0 - 1]]) }
    let graph = try TaskDependencyGraph(chain)
    #expect(graph.levels.count == names.count)
    #expect(graph.ancestors(of: "t19999").count == names.count - 1)
    var loop = chain
    loop[0].parents = ["t19999"]
    #expect(throws: TaskGraphError.cycle(names + ["t0"])) { try TaskDependencyGraph(loop) }
  }

  @Test func equalGraphsAreEqual() throws {
    let one = try TaskDependencyGraph([("a", []), ("b", ["a"])])
    let same = try TaskDependencyGraph([("a", []), ("b", ["a"])])
    #expect(one == same && one.hashValue == same.hashValue)
    #expect(try one != TaskDependencyGraph([("a", []), ("b", [])]))
    #expect(one.contains("a") && !one.contains("c"))
  }

  @Test func nearestNames() {
    let known = ["rank", "alpha", "targets", "rankStabilized"]
    #expect(nearestName(to: "rnak", in: known) == "rank")
    #expect(nearestName(to: "Alpha", in: known) == "alpha")
    #expect(nearestName(to: "target", in: known) == "targets")
    #expect(nearestName(to: "rankStabilised", in: known) == "rankStabilized")
    #expect(nearestName(to: "learning", in: known) == nil)
    #expect(nearestName(to: "", in: known) == nil)
    #expect(nearestName(to: "rank", in: []) == nil)
    #expect(nearestName(to: "ab", in: ["ac", "ad"]) == "ac")
  }
}
