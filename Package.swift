// swift-tools-version: 6.1
import PackageDescription

let strict: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .unsafeFlags(["-warnings-as-errors"]),
]

/// A library target and its test target of the same name.
func library(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
  .target(name: name, dependencies: dependencies, swiftSettings: strict)
}

func tests(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
  .testTarget(
    name: name + "Tests", dependencies: [.byName(name: name), "TestSupport"] + dependencies,
    swiftSettings: strict)
}

let package = Package(
  name: "contexture",
  products: [
    .executable(name: "contexture", targets: ["contexture"]),
    .executable(name: "parity", targets: ["parity"]),
    .library(name: "TaskGraph", targets: ["TaskGraph"]),
    .library(name: "ContextLoRA", targets: ["ContextLoRA"]),
    .library(name: "LanguageModels", targets: ["LanguageModels"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
  ],
  targets: [
    // What the compiler must see with the right instruction set, and the matrix products.
    .target(
      name: "CKernels",
      cSettings: [
        .unsafeFlags(["-O3", "-fno-math-errno"]), .unsafeFlags(["-Wall", "-Wextra", "-Werror"]),
      ]),
    .systemLibrary(
      name: "COneDNN", providers: [.apt(["libdnnl-dev"])]),
    .systemLibrary(
      name: "COpenMPI", pkgConfig: "ompi-c", providers: [.apt(["libopenmpi-dev"])]),

    // Meaning: tasks, edges, phases; text and tokens.
    library("TaskGraph"),
    library("Workflows", ["TaskGraph", .product(name: "Yams", package: "Yams")]),
    library("Tokenization"),
    library("SeededRandom"),
    library("Datasets", ["SeededRandom"]),

    // Numbers.
    library("Checkpoint", [.product(name: "Crypto", package: "swift-crypto")]),
    library("Tensor", ["CKernels", "COneDNN"]),
    library("LanguageModels", ["Tensor", "Checkpoint", "SeededRandom"]),

    // The method.
    library("Prompting", ["Workflows", "Datasets", "Tokenization", "Checkpoint"]),
    library("ContextLoRA", ["TaskGraph", "Datasets", "LanguageModels", "Checkpoint"]),
    library("Evaluation", ["Prompting", "LanguageModels"]),
    library("Runs", ["Workflows", "ContextLoRA", "Evaluation", "PipelinedTraining"]),

    // Planning over unequal devices; knows neither tensors nor a transport.
    library("ContextGear", ["TaskGraph", .product(name: "Yams", package: "Yams")]),

    // Several machines.
    library("Transport"),
    library("MPITransport", ["Transport", "COpenMPI"]),
    library("ClusterLaunch", ["Transport", "Workflows"]),
    library("ClusterEmulation", ["ClusterLaunch", "Transport", "Workflows"]),
    .executableTarget(
      name: "transport-probe", dependencies: ["Transport", "MPITransport", "ClusterLaunch"],
      swiftSettings: strict),
    library("PipelinedTraining", ["ContextGear", "ContextLoRA", "Datasets", "LanguageModels", "Transport"]),
    library("DeviceProfiling", ["ContextGear", "LanguageModels"]),

    // What a person types.
    .executableTarget(
      name: "contexture",
      dependencies: [
        "Runs", "Workflows", "TaskGraph", "Datasets", "Checkpoint", "Tokenization", "LanguageModels",
        "Prompting", "Evaluation", "ContextLoRA", "ContextGear", "Tensor", "Transport", "MPITransport",
        "ClusterLaunch", "ClusterEmulation", "DeviceProfiling",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ], swiftSettings: strict),
    .executableTarget(
      name: "parity",
      dependencies: [
        "ContextLoRA", .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ], swiftSettings: strict),

    .target(name: "TestSupport", path: "Tests/TestSupport", swiftSettings: strict),
    .target(
      name: "TrainingFixtures", dependencies: ["ContextLoRA", "SeededRandom", "TestSupport"],
      path: "Tests/TrainingFixtures", swiftSettings: strict),
    .target(
      name: "ProjectFixtures",
      dependencies: ["Checkpoint", "Datasets", "SeededRandom", "TestSupport", "Workflows"],
      path: "Tests/ProjectFixtures", swiftSettings: strict),
    tests("TaskGraph"),
    tests("Workflows"),
    tests("Tokenization"),
    tests("Datasets", ["SeededRandom"]),
    tests("Checkpoint"),
    tests("Tensor", ["CKernels", "SeededRandom"]),
    tests("LanguageModels", ["Tensor", "Checkpoint", "SeededRandom"]),
    tests("Prompting", ["Datasets", "Tokenization", "Workflows"]),
    tests("ContextLoRA", ["SeededRandom", "Datasets", "TrainingFixtures"]),
    tests(
      "Evaluation",
      [
        "Checkpoint", "Datasets", "LanguageModels", "Prompting", "SeededRandom", "Tensor", "Tokenization",
        "Workflows",
      ]),
    tests("ContextGear", ["SeededRandom"]),
    tests("Runs", ["Workflows", "ContextLoRA", "Checkpoint", "ProjectFixtures", "Tensor"]),
    tests("Transport", ["SeededRandom"]),
    tests(
      "PipelinedTraining", ["ContextGear", "ContextLoRA", "SeededRandom", "TrainingFixtures", "Transport"]),
    tests("MPITransport", ["Transport", "ClusterLaunch", "transport-probe"]),
    tests("ClusterLaunch", ["Workflows"]),
    tests("DeviceProfiling", ["ContextGear", "Checkpoint", "Tensor"]),
    tests("ClusterEmulation", ["ClusterLaunch", "Transport", "Workflows", "contexture", "transport-probe"]),
    // Runs the built program as a process.
    .testTarget(
      name: "contextureTests",
      dependencies: [
        "contexture", "parity", "Checkpoint", "ClusterEmulation", "ClusterLaunch", "ContextGear",
        "ContextLoRA", "Evaluation", "ProjectFixtures", "Runs", "TestSupport",
      ], swiftSettings: strict),
  ],
  cLanguageStandard: .c17
)
