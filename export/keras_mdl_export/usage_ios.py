"""The part of `USAGE.md` for iOS, with places to fill in: `@DOMAIN@`.

Names of the APIs are from the sources of LiteRT (tflite/swift, litert/swift)
and MediaPipe (mediapipe/tasks/ios) in the versions that the text gives.
"""

MODEL_ENTRY = """\
    "@NAME@": Model(
        sha256: "@SHA256@",
        parts: [@PARTS@]),"""

START = """\
## iOS (Swift)

Written for the pods `TensorFlowLiteSwift` 2.14.0 and `MediaPipeTasksVision`
0.10.14, from their sources and documentation. **Our tests do not compile or
run these lines.** The files lie among the app's resources under the same
paths as here (in Xcode: folder references).
"""

MEDIAPIPE = """\
### MediaPipe Tasks: the short way (Swift)

```swift
import MediaPipeTasksVision

let options = ImageClassifierOptions()
options.baseOptions.modelAssetPath =
    Bundle.main.resourceURL!.appendingPathComponent("@MODEL@").path
options.maxResults = 3
let classifier = try ImageClassifier(options: options)

let result = try classifier.classify(image: MPImage(uiImage: image))
for category in result.classificationResult.classifications[0].categories {
    print(category.categoryName ?? "", category.score)
}
```
"""

LITERT = """\
### LiteRT (Swift)

```swift
import CoreGraphics
import Foundation
import TensorFlowLite

/// RGB of the centre in @RANGE@, row by row; the network normalises.
func pixels(_ image: CGImage) -> [@SWIFT_TYPE@] {
    var rgba = [UInt8](repeating: 0, count: @WIDTH@ * @HEIGHT@ * 4)
    rgba.withUnsafeMutableBytes { memory in
        let context = CGContext(
            data: memory.baseAddress, width: @WIDTH@, height: @HEIGHT@,
            bitsPerComponent: 8, bytesPerRow: 4 * @WIDTH@,
            space: CGColorSpace(name: CGColorSpace.sRGB)!,
            bitmapInfo: CGImageAlphaInfo.noneSkipLast.rawValue)!
        // What hangs over is cut off; nothing is stretched.
        let scale = max(
            @WIDTH@ / CGFloat(image.width), @HEIGHT@ / CGFloat(image.height))
        let width = CGFloat(image.width) * scale
        let height = CGFloat(image.height) * scale
        context.interpolationQuality = .high
        context.draw(image, in: CGRect(
            x: (@WIDTH@ - width) / 2, y: (@HEIGHT@ - height) / 2,
            width: width, height: height))
    }
    return rgba.indices.filter { $0 % 4 < 3 }.map { @SWIFT_TYPE@(rgba[$0]) }
}

/// One score per class, in the order of `classes` in manifest.json.
func scores(_ interpreter: Interpreter, _ image: CGImage) throws -> [Float] {
    let input = pixels(image).withUnsafeBytes { Data($0) }
    try interpreter.copy(input, toInputAt: 0)
    try interpreter.invoke()
    return try interpreter.output(at: 0).data.withUnsafeBytes {
        Array($0.bindMemory(to: Float.self))
    }
}
```
"""

MODELS = """\
```swift
let interpreter = try Interpreter(modelPath:
    Bundle.main.resourceURL!.appendingPathComponent("@MODEL@").path)
try interpreter.allocateTensors()
```
"""

PARTS = """\
### One trunk, many domains (Swift)

```swift
import CryptoKit
import Foundation

struct Model { let sha256: String; let parts: [String] }
let models = [
@SWIFT_MODELS@
]

func rebuilt(_ domain: String) throws -> URL {
    let model = models[domain]!
    let target = try FileManager.default.url(
        for: .applicationSupportDirectory, in: .userDomainMask,
        appropriateFor: nil, create: true
    ).appendingPathComponent("\\(model.sha256).tflite")
    if FileManager.default.fileExists(atPath: target.path) { return target }
    var content = Data()
    for part in model.parts {
        content.append(try Data(contentsOf:
            Bundle.main.resourceURL!.appendingPathComponent(part)))
    }
    let hex = SHA256.hash(data: content)
        .map { String(format: "%02x", $0) }.joined()
    guard hex == model.sha256 else { throw CocoaError(.fileReadCorruptFile) }
    try content.write(to: target, options: .atomic)
    return target
}

let interpreter = try Interpreter(modelPath: rebuilt("@DOMAIN@").path)
try interpreter.allocateTensors()
```

MediaPipe takes the same file:
`options.baseOptions.modelAssetPath = try rebuilt("@DOMAIN@").path`.
"""

BUNDLE = """\
### All domains in one file (Swift)

```swift
let interpreter = try Interpreter(modelPath:
    Bundle.main.resourceURL!.appendingPathComponent("@BUNDLE@").path)
let runner = try interpreter.signatureRunner(with: "@DOMAIN@")
let input = pixels(image).withUnsafeBytes { Data($0) }
try runner.invoke(with: [runner.inputs[0]: input])
let data = try runner.output(named: runner.outputs[0]).data
```
"""

EXTERNAL = """\
### External weights (Swift)

Only `CompiledModel` of LiteRT's own Swift package (2.3.0) reads them, not the
interpreter above. Copy the file and `trunk.bin` into one folder and compare
**both** SHA-256 with the table above first.

```swift
import LiteRT

let model = try CompiledModel(
    filePath: folder.appendingPathComponent("@EXTERNAL_NAME@").path,
    environment: Environment())
let inputs = try model.createInputBuffers()
let outputs = try model.createOutputBuffers()
try inputs[0].write(pixels(image))
try model.run(inputs: inputs, outputs: outputs)
let scores: [Float] = try outputs[0].read()
```
"""
