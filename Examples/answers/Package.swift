// swift-tools-version: 6.2
import PackageDescription

// The repository that contains this example. In your own package, give its URL instead.
let contexture = "/" + Context.packageDirectory.split(separator: "/").dropLast(2).joined(separator: "/")

let package = Package(
  name: "answers",
  dependencies: [.package(url: contexture, from: "0.1.0")],
  targets: [
    .executableTarget(name: "answers", dependencies: [.product(name: "Contexture", package: "contexture")])
  ])
