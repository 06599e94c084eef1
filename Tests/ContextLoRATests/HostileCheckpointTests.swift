import Checkpoint
import ContextLoRA
import Foundation
import LanguageModels
import SafeFiles
import TaskGraph
import Testing
import TrainingFixtures

/// Checkpoints and adapters whose checksum matches, but whose content was changed: each is either refused or
/// resumed from; none ends the program.
struct HostileCheckpointTests {
  /// A file's tensors and metadata, to be changed and signed again.
  private struct Parts {
    var tensors: [String: (shape: [Int], values: [Float])]
    var metadata: [String: String]

    init(_ url: URL) throws {
      let file = try SafetensorsFile(url)
      tensors = [:]
      for tensor in file.tensors { tensors[tensor.name] = (tensor.shape, try file.float32(tensor.name)) }
      metadata = file.metadata
    }

    func write(to url: URL) throws {
      var metadata = metadata
      metadata["sha256"] = nil
      try AdapterTensors.write(
        tensors.map {
          SafetensorsWriter.Tensor(name: $0.key, shape: $0.value.shape, elements: .float32($0.value.values))
        }, metadata: metadata, to: url)
    }
  }

  /// Values that replace every one of a JSON document, written as JSON.
  private static let replacements = [
    "null", "0", "-1", "1000000007", "9223372036854775807", "-9223372036854775808", "1e300", "-1e300",
    "\"x\"",
    "[]", "[-1]", "{}",
  ]

  /// The documents in which one value, at any depth, is replaced or missing.
  private static func mutations(of json: String) throws -> [(name: String, text: String)] {
    let root = try JSONSerialization.jsonObject(with: Data(json.utf8), options: [.fragmentsAllowed])
    var found: [(String, String)] = []
    func text(_ value: Any) throws -> String {
      String(
        decoding: try JSONSerialization.data(withJSONObject: value, options: [.fragmentsAllowed]),
        as: UTF8.self)
    }
    // `wrap` puts the text of a replaced value into the rest of the document.
    func visit(_ value: Any, _ path: String, _ wrap: (String) throws -> String) throws {
      for replacement in replacements { found.append(("\(path) = \(replacement)", try wrap(replacement))) }
      if let object = value as? [String: Any] {
        for key in object.keys.sorted() {
          var rest = object
          guard let inner = rest.removeValue(forKey: key) else { continue }
          let others = try rest.map { "\(try text($0.key)):\(try text($0.value))" }
          found.append(("\(path).\(key) missing", try wrap("{" + others.joined(separator: ",") + "}")))
          try visit(inner, "\(path).\(key)") {
            try wrap("{" + (others + ["\(try text(key)):\($0)"]).joined(separator: ",") + "}")
          }
        }
      } else if let list = value as? [Any], let last = list.last {
        let others = try list.dropLast().map { try text($0) }
        found.append(("\(path) shorter", try wrap("[" + others.joined(separator: ",") + "]")))
        found.append(
          (
            "\(path) longer",
            try wrap("[" + (try list.map { try text($0) } + [text(last)]).joined(separator: ",") + "]")
          ))
        try visit(last, "\(path)[last]") { try wrap("[" + (others + [$0]).joined(separator: ",") + "]") }
      }
    }
    try visit(root, "") { $0 }
    return found
  }

  /// How a phase is stopped: its kind, and the step.
  enum Kind: String, CaseIterable {
    case predicted, adaptive, between
  }

  private func training(_ kind: Kind) throws -> (tiny: TinyWorkflow, options: TrainingOptions, stop: Int) {
    let tiny = try TinyWorkflow(
      frozenRatio: kind == .adaptive ? 0 : 0.5, workers: 1, usesPredictions: kind == .predicted)
    tiny.scores = { _, validation in
      ValidationScore(loss: 1, correct: kind == .between ? 10 : min(3 + validation, 6), count: 10)
    }
    var options = tiny.options
    options.staleness = 2
    options.plannedSteps = 4
    options.validation = TrainingOptions.Validation(every: 1, budget: TrainingOptions.Budget(steps: 6))
    if kind == .adaptive { options.adaptiveFreezing = AdaptiveFreezing(tolerance: 1e9, interval: 1) }
    return (tiny, options, kind == .between ? 4 : 7)
  }

  @Test("a checkpoint with any changed field", arguments: Kind.allCases)
  func checkpoints(kind: Kind) throws {
    try TestFolder.with { folder in
      let url = folder.appendingPathComponent("checkpoint.safetensors")
      let (tiny, options, stop) = try training(kind)
      var steps = 0
      _ = try tiny.trainer(options: options).run(
        to: CheckpointDestination(url: url, workflow: "w", model: "m"), shouldStop: { steps == stop }
      ) {
        if case .step = $0 { steps += 1 }
      }
      var good = try Parts(url)
      // Written as the changed ones are, because numbers may be rounded differently.
      let state = try JSONSerialization.jsonObject(with: Data(#require(good.metadata["state"]).utf8))
      good.metadata["state"] = String(
        decoding: try JSONSerialization.data(withJSONObject: state), as: UTF8.self)
      try good.write(to: url)
      let original = try TrainingCheckpoint(url, modules: tiny.adapter.modules)
      #expect((original.optimizer == nil) == (kind == .between))
      let changed = folder.appendingPathComponent("changed.safetensors")
      var accepted: [String] = []
      func attempt(_ name: String, _ parts: Parts) throws {
        try parts.write(to: changed)
        let checkpoint: TrainingCheckpoint
        do { checkpoint = try TrainingCheckpoint(changed, modules: tiny.adapter.modules) } catch {
          #expect(error is FileError, "\(name): \(error)")
          return
        }
        guard checkpoint != original || name == "unchanged",
          tiny.resumed(options, validationEpisodes: 10).contradiction(of: checkpoint) == nil
        else { return }
        accepted.append(name)
        let (again, options, _) = try training(kind)
        var taken = 0
        do {
          let trainer = again.trainer(options: options)
          _ = try trainer.run(from: checkpoint, to: nil, shouldStop: { taken >= 6 }) {
            if case .step = $0 { taken += 1 }
          }
          #expect(trainer.adapter.isFinite, "\(name)")
        } catch { #expect(error is TrainingError, "\(name): \(error)") }
      }
      try attempt("unchanged", good)
      #expect(accepted == ["unchanged"])
      for key in good.metadata.keys.sorted() where key != "state" && key != "sha256" {
        for value in ["", "0", "-1", "1", "1e300", "nan", "inf", "9223372036854775807", "x"] {
          var parts = good
          parts.metadata[key] = value
          try attempt("\(key) = \(value)", parts)
        }
        var parts = good
        parts.metadata[key] = nil
        try attempt("\(key) missing", parts)
      }
      for (name, text) in try Self.mutations(of: #require(good.metadata["state"])) {
        var parts = good
        parts.metadata["state"] = text
        try attempt("state\(name)", parts)
      }
      for (name, tensor) in good.tensors.sorted(by: { $0.key < $1.key }) {
        guard name.contains("layers.0.self_attn.q_proj") || tensor.shape.count == 1 else { continue }
        let changes: [(String, (shape: [Int], values: [Float])?)] = [
          ("missing", nil), ("empty", ([0], [])),
          ("shorter", (tensor.shape.dropLast() + [tensor.shape[tensor.shape.count - 1] - 1], [])),
          ("nan", (tensor.shape, [.nan])), ("infinite", (tensor.shape, [.infinity])),
          ("negative", (tensor.shape, [-1])), ("huge", (tensor.shape, [.greatestFiniteMagnitude])),
        ]
        for (what, change) in changes {
          var parts = good
          parts.tensors[name] = change.map { shape, values in
            var all = Array(tensor.values.prefix(shape.reduce(1, *)))
            for (index, value) in values.enumerated() where index < all.count { all[index] = value }
            return (shape, all)
          }
          try attempt("\(name) \(what)", parts)
        }
      }
      // What decides where the training resumes cannot be changed at all.
      let wrong = accepted.filter { name in
        ["phase", "step", "epoch", "sample", "trainable", "frozen", "bestColumns"].contains {
          name.hasPrefix("state.\($0) ") || name.hasPrefix("state.\($0)[")
        } || name.hasPrefix("optimizer") && !name.contains("huge") && !name.contains("first_moment negative")
          || name.contains("nan") || name.contains("infinite") || name.contains("shorter")
      }
      #expect(wrong == [], "\(kind)")
    }
  }

  @Test("an adapter with any changed field")
  func adapters() throws {
    try TestFolder.with { folder in
      let url = folder.appendingPathComponent("adapter.safetensors")
      let tiny = try TinyWorkflow(frozenRatio: 0.5)
      let file = AdapterFile(adapter: tiny.adapter, schedule: tiny.schedule)
      try file.write(to: url)
      let good = try Parts(url)
      func attempt(_ name: String, _ parts: Parts) throws {
        try parts.write(to: url)
        do {
          let read = try AdapterFile(url, modules: tiny.adapter.modules)
          // Columns that every view computes with must exist.
          for block in read.blocks {
            _ = tiny.model.view(of: read.adapter, .inference(block.sees))
          }
        } catch { #expect(error is FileError, "\(name): \(error)") }
      }
      for (key, value) in good.metadata {
        for replacement in Self.replacements + ["", "nan", "inf"] {
          var parts = good
          parts.metadata[key] = replacement
          try attempt("\(key) = \(replacement)", parts)
        }
        guard key == "blocks" else { continue }
        for (name, text) in try Self.mutations(of: value) {
          var parts = good
          parts.metadata[key] = text
          try attempt("blocks\(name)", parts)
        }
      }
    }
  }
}
