// The domains of an export: bundle.tflite and manifest.json among the app's
// resources. Pod: TensorFlowLiteSwift 2.17.0.

import TensorFlowLite
import UIKit

struct Manifest: Decodable {
    struct Input: Decodable {
        let shape: [Int]
        let dtype: String
    }

    struct Domain: Decodable {
        let classes: [String]
    }

    let input: Input
    let domains: [String: Domain]
}

final class Classifier {
    let manifest: Manifest
    private let interpreter: Interpreter

    init() throws {
        let folder = Bundle.main.resourceURL!
        manifest = try JSONDecoder().decode(
            Manifest.self,
            from: Data(contentsOf: folder.appendingPathComponent("manifest.json")))
        precondition(
            manifest.input.dtype == "uint8",
            "This app writes bytes: export with --input-dtype uint8")
        interpreter = try Interpreter(
            modelPath: folder.appendingPathComponent("bundle.tflite").path)
    }

    /// The best classes of a photo or frame, however it was held.
    func top(_ domain: String, _ image: UIImage, _ count: Int = 3) throws
        -> [(String, Float)]
    {
        let (rgba, width, height) = pixels(image)
        let shape = manifest.input.shape
        let rgb = centre(
            rgba, width: width, height: height,
            toWidth: shape[2], toHeight: shape[1])
        let runner = try interpreter.signatureRunner(with: domain)
        try runner.allocateTensors()
        try runner.invoke(with: [runner.inputs[0]: Data(rgb)])
        let scores = try runner.output(named: runner.outputs[0]).data
            .withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
        return zip(manifest.domains[domain]!.classes, scores)
            .sorted { $0.1 > $1.1 }.prefix(count).map { ($0.0, $0.1) }
    }
}

/// RGBA of an image at its own size, upright: `draw` obeys its orientation.
private func pixels(_ image: UIImage) -> ([UInt8], Int, Int) {
    let width = Int(image.size.width * image.scale)
    let height = Int(image.size.height * image.scale)
    var rgba = [UInt8](repeating: 255, count: width * height * 4)
    rgba.withUnsafeMutableBytes { memory in
        let context = CGContext(
            data: memory.baseAddress, width: width, height: height,
            bitsPerComponent: 8, bytesPerRow: 4 * width,
            space: CGColorSpace(name: CGColorSpace.sRGB)!,
            bitmapInfo: CGImageAlphaInfo.noneSkipLast.rawValue)!
        // UIKit's axis points down, that of a CGContext up.
        context.translateBy(x: 0, y: CGFloat(height))
        context.scaleBy(x: 1, y: -1)
        UIGraphicsPushContext(context)
        image.draw(in: CGRect(x: 0, y: 0, width: width, height: height))
        UIGraphicsPopContext()
    }
    return (rgba, width, height)
}
