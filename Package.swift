// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .treatAllWarnings(as: .error),
]

/// A library target and its test target of the same name.
func library(
  _ name: String, _ dependencies: [Target.Dependency] = [], exclude: [String] = [],
  resources: [Resource]? = nil
) -> Target {
  .target(
    name: name, dependencies: dependencies, exclude: exclude, resources: resources, swiftSettings: strict)
}

func tests(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
  .testTarget(
    name: name + "Tests", dependencies: [.byName(name: name), "TestSupport"] + dependencies,
    swiftSettings: strict)
}

let package = Package(
  name: "contexture",
  products: [
    .executable(name: "contexture", targets: ["ContextureTool"]),
    .executable(name: "parity", targets: ["parity"]),
    .library(name: "Contexture", targets: ["Contexture"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
  ],
  targets: [
    // What the compiler must see with the right instruction set, and the matrix products.
    .target(
      name: "CKernels",
      cSettings: [.enableWarning("all"), .enableWarning("extra"), .treatAllWarnings(as: .error)]),
    // Simulated traffic, as a constant of the program.
    .target(name: "CTrafficStates", exclude: ["bologna.jsonl"]),
    .systemLibrary(
      name: "COneDNN", providers: [.apt(["libdnnl-dev"])]),
    .systemLibrary(
      name: "COpenMPI", pkgConfig: "ompi-c", providers: [.apt(["libopenmpi-dev"])]),

    // What everything else stands on: one of each, importing nothing of this package.
    library("InputErrors"),
    library("Locking"),
    library("TextTables"),
    library("SafeFiles", ["InputErrors", .product(name: "Crypto", package: "swift-crypto")]),
    library("StrictJSON"),
    library("StrictYAML", ["InputErrors", "SafeFiles", .product(name: "Yams", package: "Yams")]),
    library("SeededRandom"),
    library("JinjaTemplates", ["InputErrors", "StrictJSON"]),

    // Meaning: tasks, edges, phases; text and tokens.
    library("TaskGraph", ["InputErrors", "TextTables"]),
    library("Workflows", ["InputErrors", "StrictYAML", "TaskGraph"]),
    library("Tokenization", ["InputErrors", "StrictJSON", "JinjaTemplates"]),
    library("Datasets", ["InputErrors", "TextTables", "SafeFiles", "StrictJSON", "SeededRandom"]),
    library(
      "BenchmarkWorlds",
      ["CTrafficStates", "Datasets", "InputErrors", "SafeFiles", "SeededRandom", "StrictJSON"],
      exclude: ["City/Profile/README.md", "City/Profile/LICENSE"],
      resources: [.embedInCode("City/Profile/profile.csv")]),

    // Numbers.
    library("Checkpoint", ["InputErrors", "TextTables", "SafeFiles", "StrictJSON"]),
    library("Tensor", ["CKernels", "COneDNN", "Locking"]),
    library("LanguageModels", ["Tensor", "Checkpoint", "Locking", "SeededRandom"]),

    // The method.
    library(
      "Prompting",
      [
        "InputErrors", "StrictJSON", "JinjaTemplates", "Workflows", "Datasets", "Tokenization", "Checkpoint",
      ]),
    library(
      "ContextLoRA",
      ["InputErrors", "SafeFiles", "TaskGraph", "Datasets", "LanguageModels", "Checkpoint", "StrictJSON"]),
    library("Evaluation", ["Prompting", "TextTables", "LanguageModels"]),
    library(
      "Runs", ["InputErrors", "SafeFiles", "Workflows", "ContextLoRA", "Evaluation", "PipelinedTraining"]),

    // The method beside others.
    library(
      "Methods",
      [
        "ContextLoRA", "Datasets", "InputErrors", "LanguageModels", "Runs", "SeededRandom", "TaskGraph",
        "Tensor", "Workflows",
      ]),
    library(
      "Experiments",
      [
        "ContextLoRA", "Datasets", "Evaluation", "InputErrors", "LanguageModels", "Methods", "Prompting",
        "Runs",
        "SafeFiles", "SeededRandom", "TaskGraph", "Tensor", "TextTables", "Workflows",
      ]),
    // What was run, when and with which result: a database that several programs write to.
    library(
      "RunStore",
      ["InputErrors", "Locking", "SafeFiles", "TextTables", .product(name: "GRDB", package: "GRDB.swift")]),

    // Pages for people.
    library(
      "Reports",
      [
        "ContextLoRA", "Datasets", "Evaluation", "Experiments", "InputErrors", "Methods", "RunStore", "Runs",
        "SafeFiles", "TaskGraph", "TextTables", "Workflows",
      ]),
    // What TensorBoard shows.
    library("EventFiles", ["InputErrors", "SafeFiles"]),

    // Planning over unequal devices; knows neither tensors nor a transport.
    library("ContextGear", ["InputErrors", "SafeFiles", "StrictYAML", "TaskGraph", "TextTables"]),

    // Several machines.
    library("Transport", ["InputErrors", "Locking", "SafeFiles"]),
    library("MPITransport", ["Transport", "COpenMPI", "Locking"]),
    library("ClusterLaunch", ["InputErrors", "SafeFiles", "StrictYAML", "Transport"]),
    library("ClusterEmulation", ["InputErrors", "SafeFiles", "StrictYAML", "ClusterLaunch", "Transport"]),
    library(
      "PipelinedTraining",
      ["InputErrors", "ContextGear", "ContextLoRA", "Datasets", "LanguageModels", "Transport"]),
    library(
      "DeviceProfiling",
      [
        "InputErrors", "SafeFiles", "TextTables", "ContextGear", "LanguageModels", "ClusterLaunch",
        "Transport",
      ]),

    // What another package imports.
    library(
      "Contexture",
      [
        "InputErrors", "Runs", "Workflows", "Datasets", "Evaluation", "ContextGear", "ContextLoRA",
        "Prompting",
      ]),

    // What a person types.
    .executableTarget(
      name: "ContextureTool",
      dependencies: [
        "InputErrors", "SafeFiles", "TextTables", "Runs", "StrictYAML", "Workflows", "TaskGraph", "Datasets",
        "BenchmarkWorlds", "Experiments", "Methods", "Reports", "Checkpoint",
        "Tokenization",
        "LanguageModels",
        "Prompting", "Evaluation", "ContextLoRA", "ContextGear", "Tensor", "Transport", "MPITransport",
        "ClusterLaunch", "ClusterEmulation", "DeviceProfiling", "JinjaTemplates", "RunStore", "EventFiles",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ], swiftSettings: strict),

    // For those who develop this package: comparisons with another implementation, and checks of the message layer.
    .executableTarget(
      name: "parity",
      dependencies: [
        "ContextLoRA", "ReferenceReplay", .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ], path: "Tools/parity", swiftSettings: strict),
    .target(
      name: "ReferenceReplay", dependencies: ["ContextLoRA", "StrictJSON"], path: "Tools/ReferenceReplay",
      swiftSettings: strict),
    .executableTarget(
      name: "transport-probe", dependencies: ["Transport", "MPITransport", "ClusterLaunch"],
      path: "Tools/transport-probe", swiftSettings: strict),

    // The borders of the libraries, for libFuzzer and for the tests.
    .target(
      name: "FuzzTargets",
      dependencies: [
        "Checkpoint", "ClusterEmulation", "ClusterLaunch", "ContextGear", "ContextLoRA", "Datasets",
        "Experiments", "InputErrors", "LanguageModels", "Locking", "PipelinedTraining", "Prompting",
        "Reports",
        "RunStore", "SafeFiles", "StrictJSON", "StrictYAML", "TaskGraph", "Tensor", "TestSupport",
        "Tokenization", "TrainingFixtures",
        "Transport", "Workflows",
      ], path: "Tools/FuzzTargets", swiftSettings: strict),

    .target(
      name: "TestSupport", dependencies: ["Locking"], path: "Tests/TestSupport", swiftSettings: strict),
    .target(
      name: "TrainingFixtures",
      dependencies: ["ContextLoRA", "PipelinedTraining", "SeededRandom", "TestSupport"],
      path: "Tests/TrainingFixtures", swiftSettings: strict),
    .target(
      name: "ProjectFixtures",
      dependencies: ["Checkpoint", "Datasets", "SeededRandom", "TestSupport", "Workflows"],
      path: "Tests/ProjectFixtures", swiftSettings: strict),
    tests("FuzzTargets"),
    tests("TextTables"),
    tests("SafeFiles"),
    tests("StrictJSON"),
    tests("JinjaTemplates", ["StrictJSON", "SeededRandom"]),
    tests("TaskGraph"),
    tests("Workflows"),
    tests("Tokenization", ["StrictJSON", "JinjaTemplates"]),
    tests("Datasets", ["BenchmarkWorlds", "SafeFiles", "SeededRandom"]),
    tests("BenchmarkWorlds", ["Datasets", "SeededRandom"]),
    tests("Checkpoint", ["SafeFiles", "StrictJSON"]),
    tests("Tensor", ["CKernels", "Locking", "SeededRandom"]),
    tests("LanguageModels", ["Tensor", "Checkpoint", "SeededRandom"]),
    tests("Prompting", ["Datasets", "Tokenization", "Workflows"]),
    tests("ContextLoRA", ["SeededRandom", "Datasets", "TrainingFixtures"]),
    tests(
      "Evaluation",
      [
        "BenchmarkWorlds", "Checkpoint", "Datasets", "LanguageModels", "Prompting", "SeededRandom", "Tensor",
        "Tokenization",
        "Workflows",
      ]),
    tests(
      "Methods",
      ["ContextLoRA", "Runs", "Workflows", "Tensor", "LanguageModels", "ProjectFixtures", "SeededRandom"]),
    tests("Experiments", ["Methods", "ProjectFixtures"]),
    tests("Reports", ["Evaluation", "Experiments", "Methods", "ProjectFixtures", "RunStore", "Runs"]),
    tests("ContextGear", ["SeededRandom", "StrictYAML"]),
    tests("Runs", ["Workflows", "ContextLoRA", "Checkpoint", "ProjectFixtures", "Tensor"]),
    tests("EventFiles", ["InputErrors", "SafeFiles"]),
    tests(
      "RunStore", ["InputErrors", "Locking", "SeededRandom", .product(name: "GRDB", package: "GRDB.swift")]),
    tests("Transport", ["SeededRandom"]),
    tests(
      "PipelinedTraining", ["ContextGear", "ContextLoRA", "SeededRandom", "TrainingFixtures", "Transport"]),
    tests("MPITransport", ["Transport", "ClusterLaunch", "transport-probe"]),
    tests("ClusterLaunch", ["Workflows"]),
    tests("DeviceProfiling", ["ContextGear", "Checkpoint", "Tensor"]),
    tests(
      "ClusterEmulation", ["ClusterLaunch", "Transport", "Workflows", "ContextureTool", "transport-probe"]),
    tests("ReferenceReplay", ["ContextLoRA", "Tensor"]),
    tests("Contexture", ["ProjectFixtures"]),
    // Runs the built program as a process.
    .testTarget(
      name: "ProgramTests",
      dependencies: [
        "ContextureTool", "parity", "Checkpoint", "ClusterEmulation", "ClusterLaunch", "ContextGear",
        "ContextLoRA", "Evaluation", "Experiments", "ProjectFixtures", "RunStore", "Runs", "TestSupport",
      ], swiftSettings: strict),
  ],
  cLanguageStandard: .c17
)

// libFuzzer brings its own entry point, so its program links only with '-sanitize=fuzzer'; see scripts/fuzz.sh.
if Context.environment["CONTEXTURE_FUZZ"] != nil {
  package.targets.append(
    .executableTarget(
      name: "fuzz", dependencies: ["FuzzTargets"], path: "Tools/fuzz",
      swiftSettings: strict))
}
