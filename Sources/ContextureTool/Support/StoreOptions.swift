import ArgumentParser
import Foundation
import InputErrors
import RunStore
import SafeFiles

/// The store in which a command records its run.
struct StoreOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The store of runs. Default: \(RunStore.defaultName) in the folder that contains the run folder or the folder of results.",
      valueName: "file"))
  var store: String?

  @Flag(help: "Do not record the run in a store.")
  var noStore = false

  func validate() throws {
    if noStore, store != nil {
      throw ValidationError("--no-store: contradicts --store; leave one of them out")
    }
  }

  /// These options as arguments for another call of this program.
  var arguments: [String] { (store.map { ["--store", $0] } ?? []) + (noStore ? ["--no-store"] : []) }

  /// The path of the store; `nil` if there is to be none.
  ///
  /// - Parameter run: the run folder.
  func path(beside run: String) -> String? { noStore ? nil : store ?? Self.defaultPath(beside: run) }

  /// The path of the store beside a run folder.
  static func defaultPath(beside run: String) -> String {
    let name = run.split(separator: "/").last ?? ""
    // The folder that contains one of these has no name in the path.
    let full = ["", ".", ".."].contains(name) ? URL(fileURLWithPath: run).standardizedFileURL.path : run
    let folder = full.parentPath
    return folder + (folder.isEmpty || folder == "/" ? "" : "/") + RunStore.defaultName
  }

  /// Refuses a store that was asked for and cannot be used. Creates nothing.
  func check() throws(Refusal) {
    if let store { try RunStore.check(store) }
  }
}

/// The store from which a command reads.
struct ReadStoreOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The store of runs. Default: \(RunStore.defaultName) beside the given run folder, here, or in runs/.",
      valueName: "file"))
  var store: String?

  /// Opens the store.
  ///
  /// - Parameter names: how the runs were named; some may be folders.
  /// - Throws: `Refusal` if there is none, or it cannot be read.
  func open(for names: [String] = []) throws(Refusal) -> RunStore {
    func isThere(_ path: String) -> Bool { FileManager.default.fileExists(atPath: path) }
    let beside = names.filter(isThere).map(StoreOptions.defaultPath)
    let here = [RunStore.defaultName, "runs/" + RunStore.defaultName]
    return try RunStore(reading: store ?? (beside + here).first(where: isThere) ?? RunStore.defaultName)
  }
}
