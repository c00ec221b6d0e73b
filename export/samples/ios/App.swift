// A photo from the library or the camera, a domain, and the best classes.
// Info.plist needs NSCameraUsageDescription.

import SwiftUI
import UIKit

@main
struct SampleApp: App {
    var body: some Scene {
        WindowGroup { ContentView(classifier: try! Classifier()) }
    }
}

struct ContentView: View {
    let classifier: Classifier
    @State private var domain = ""
    @State private var image: UIImage?
    @State private var source: Source?

    var names: [String] { classifier.manifest.domains.keys.sorted() }

    var best: [(String, Float)] {
        guard let image, !domain.isEmpty else { return [] }
        return (try? classifier.top(domain, image)) ?? []
    }

    var body: some View {
        VStack {
            Picker("Domain", selection: $domain) {
                ForEach(names, id: \.self) { Text($0) }
            }.pickerStyle(.segmented)
            if let image {
                Image(uiImage: image).resizable().scaledToFit()
            }
            ForEach(best, id: \.0) { name, score in
                Text("\(name)  \(score, format: .percent.precision(.fractionLength(1)))")
            }
            Button("Photo") { source = Source(type: .photoLibrary) }
            Button("Camera") { source = Source(type: .camera) }
                .disabled(!UIImagePickerController.isSourceTypeAvailable(.camera))
        }
        .padding()
        .onAppear { domain = names[0] }
        .sheet(item: $source) { Picture(source: $0.type, image: $image) }
    }
}

struct Source: Identifiable {
    let type: UIImagePickerController.SourceType
    var id: Int { type.rawValue }
}

struct Picture: UIViewControllerRepresentable {
    let source: UIImagePickerController.SourceType
    @Binding var image: UIImage?
    @Environment(\.dismiss) private var dismiss

    func makeUIViewController(context: Context) -> UIImagePickerController {
        let picker = UIImagePickerController()
        picker.sourceType = source
        picker.delegate = context.coordinator
        return picker
    }

    func updateUIViewController(_: UIImagePickerController, context: Context) {}

    func makeCoordinator() -> Coordinator { Coordinator(self) }

    final class Coordinator: NSObject, UIImagePickerControllerDelegate,
        UINavigationControllerDelegate
    {
        let parent: Picture

        init(_ parent: Picture) { self.parent = parent }

        func imagePickerController(
            _: UIImagePickerController,
            didFinishPickingMediaWithInfo info:
                [UIImagePickerController.InfoKey: Any]
        ) {
            parent.image = info[.originalImage] as? UIImage
            parent.dismiss()
        }
    }
}
