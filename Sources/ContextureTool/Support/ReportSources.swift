import Experiments
import Foundation
import InputErrors
import Reports
import RunStore
import Runs

/// What a report is about: folders, and what the store says of them.
struct ReportSources {
  private(set) var trainings: [Report.Training] = []
  private(set) var experiments: [Report.Results] = []

  /// - Parameters:
  ///   - names: run folders, or runs as a store names them.
  ///   - folder: a folder of results of experiments.
  /// - Throws: an error with the name, folder or file, and what is wrong with it.
  init(_ names: [String], experiments folder: String?, store source: ReadStoreOptions) throws {
    // A folder tells enough by itself: without a store, or if its store cannot be read, only how the run ended is unknown.
    let isNeeded = source.store != nil || names.contains { !RunFolder($0).hasBegun }
    let store: RunStore?
    do { store = try source.open(for: names + (folder.map { [$0] } ?? [])) } catch {
      if isNeeded, !names.isEmpty || source.store != nil { throw Self.explained(error, names) }
      store = nil
    }
    for name in names { try add(name, store) }
    if let folder { try add(results: folder, store) }
  }

  /// Names a folder that is neither a run nor anything in a store.
  private static func explained(_ refusal: Refusal, _ names: [String]) -> any Error {
    for name in names where FileManager.default.fileExists(atPath: name) && !RunFolder(name).hasBegun {
      do { _ = try RunFolder(name).readManifest() } catch { return error }
    }
    return refusal
  }

  private mutating func add(_ name: String, _ store: RunStore?) throws {
    if RunFolder(name).hasBegun {
      trainings.append(.init(name, state: Self.state(of: name, store)))
      return
    }
    guard let store else {
      throw Refusal(name, "is not the folder of a run", "give the folder of a training")
    }
    let id: String
    do { id = try store.identifier(of: name) } catch { throw Self.explained(error, [name]) }
    let run = try store.details(of: id)
    if run.summary.kind == RunKind.experiment.rawValue { return try add(experiment: run, store) }
    let training = try run.summary.subject.map { try store.details(of: $0) } ?? run
    guard let folder = training.summary.folder, training.summary.kind == RunKind.train.rawValue else {
      throw Refusal(
        "run \(run.summary.id)", "has no run folder in the store",
        "give the folder of the training that it measured")
    }
    let path = store.location(of: folder)
    guard RunFolder(path).hasBegun else { throw Self.gone(run.summary, path) }
    // A newer run may have replaced it in the folder.
    trainings.append(.init(path, state: Self.state(of: path, store)))
  }

  private static func gone(_ run: RunSummary, _ path: String) -> Refusal {
    Refusal(
      path, "is not there any more, or has no run; run \(run.id) was in it",
      "restore the folder, or see what the store has with 'contexture runs show \(run.id)'")
  }

  /// What the store says of the newest training in a folder.
  private static func state(of folder: String, _ store: RunStore?) -> RunState? {
    guard let run = newest(in: folder, store), run.kind == RunKind.train.rawValue else { return nil }
    return run.state
  }

  /// The newest run in a folder; `nil` if the store knows none.
  private static func newest(in folder: String, _ store: RunStore?) -> RunSummary? {
    // A folder may be named like the beginning of another run's ID.
    guard let store, let run = try? store.details(of: store.identifier(of: folder)).summary,
      run.folder == store.stored(folder)
    else { return nil }
    return run
  }

  /// The results of one experiment.
  private mutating func add(experiment run: RunDetails, _ store: RunStore) throws {
    guard let folder = run.summary.folder.map(store.location) else {
      throw Refusal("run \(run.summary.id)", "has no folder of results in the store", "give --experiments")
    }
    let needed = Set(run.measurements.map(\.checksum))
    let isThere = FileManager.default.fileExists(atPath: folder)
    // Another experiment may have written them meanwhile, or they have been removed.
    let results = try CellStore(folder).all().filter { needed.contains(CellStore.checksum($0.key)) }
    guard isThere || run.summary.measurements?.done == 0 else { throw Self.gone(run.summary, folder) }
    experiments.append(
      .init(
        run.summary.name, results, state: run.summary.state,
        progress: MeasurementProgress(done: results.count, planned: run.measurements.count)))
  }

  /// All results in a folder, and how far the newest experiment there is.
  private mutating func add(results folder: String, _ store: RunStore?) throws {
    let results = try CellStore(folder).all()
    if let newest = Self.newest(in: folder, store), newest.state != .finished, newest.measurements != nil {
      experiments.append(
        .init(
          "\(newest.name) in \(folder)", results, state: newest.state, progress: newest.measurements))
      return
    }
    guard !results.isEmpty else {
      throw Refusal(
        folder, "has no results of experiments",
        "run contexture experiment first, or give its --out folder")
    }
    experiments.append(.init(folder, results))
  }
}
