"""The part of `USAGE.md` for Android, with places to fill in: `@DOMAIN@`.

Names of the APIs are from the sources of LiteRT (litert/kotlin) and MediaPipe
(mediapipe/tasks/java) in the versions that the text gives.
"""

MODEL_ENTRY = """\
    "@NAME@" to Model(
        "@SHA256@",
        @PARTS@),"""

START = """\
## Android (Kotlin)

Written for `com.google.ai.edge.litert:litert:2.3.0` and
`com.google.mediapipe:tasks-vision:1.0.0`, from their sources and
documentation. **Our tests do not compile or run these lines.**
"""

MEDIAPIPE = """\
### MediaPipe Tasks: the short way (Kotlin)

MediaPipe reads labels and preprocessing from the file. Put the file into the
assets, under the same path.

```kotlin
import com.google.mediapipe.framework.image.BitmapImageBuilder
import com.google.mediapipe.tasks.core.BaseOptions
import com.google.mediapipe.tasks.vision.imageclassifier.ImageClassifier

val options = ImageClassifier.ImageClassifierOptions.builder()
    .setBaseOptions(
        BaseOptions.builder().setModelAssetPath("@MODEL@").build())
    .setMaxResults(3)
    .build()
val classifier = ImageClassifier.createFromOptions(context, options)

val result = classifier.classify(BitmapImageBuilder(bitmap).build())
val first = result.classificationResult().classifications()[0]
for (category in first.categories())
    println("${category.categoryName()} ${category.score()}")
```
"""

LITERT = """\
### LiteRT (Kotlin)

```kotlin
import android.graphics.Bitmap
import com.google.ai.edge.litert.Accelerator
import com.google.ai.edge.litert.CompiledModel

/** RGB of the centre in @RANGE@, row by row; the network normalises. */
fun pixels(bitmap: Bitmap): @KOTLIN_ARRAY@ {
    val scale = minOf(bitmap.width / @WIDTH@f, bitmap.height / @HEIGHT@f)
    val width = (@WIDTH@ * scale).toInt()
    val height = (@HEIGHT@ * scale).toInt()
    val centre = Bitmap.createBitmap(
        bitmap, (bitmap.width - width) / 2, (bitmap.height - height) / 2,
        width, height)
    val argb = IntArray(@WIDTH@ * @HEIGHT@)
    Bitmap.createScaledBitmap(centre, @WIDTH@, @HEIGHT@, true)
        .getPixels(argb, 0, @WIDTH@, 0, 0, @WIDTH@, @HEIGHT@)
    return @KOTLIN_ARRAY@(3 * argb.size) { i ->
        (argb[i / 3] shr (16 - 8 * (i % 3)) and 255).@KOTLIN_TO@()
    }
}

/** One score per class, in the order of `classes` in manifest.json. */
fun scores(model: CompiledModel, bitmap: Bitmap): FloatArray {
    val inputs = model.createInputBuffers()
    val outputs = model.createOutputBuffers()
    try {
        inputs[0].@KOTLIN_WRITE@(pixels(bitmap))
        model.run(inputs, outputs)
        return outputs[0].readFloat()
    } finally {
        (inputs + outputs).forEach { it.close() }
    }
}
```
"""

MODELS = """\
One domain, from the assets; keep `model`, and close it when done:

```kotlin
val model = CompiledModel.create(
    context.assets, "@MODEL@", CompiledModel.Options(Accelerator.CPU))
val best = scores(model, bitmap)
```
"""

PARTS = """\
### One trunk, many domains (Kotlin)

The app carries the trunk once. A domain's parts, one after the other, are its
complete file; it is written at first use, under the name of its content, and
only if the SHA-256 is right.

```kotlin
import android.content.Context
import java.io.File
import java.security.DigestOutputStream
import java.security.MessageDigest

class Model(val sha256: String, vararg val parts: String)
val MODELS = mapOf(
@KOTLIN_MODELS@
)

@Synchronized
fun rebuilt(context: Context, domain: String): File {
    val model = MODELS.getValue(domain)
    val target = File(context.filesDir, "${model.sha256}.tflite")
    if (target.exists()) return target  // it was whole when it got its name
    val partial = File.createTempFile("model", null, context.filesDir)
    try {
        val digest = MessageDigest.getInstance("SHA-256")
        partial.outputStream().use { file ->
            val checked = DigestOutputStream(file, digest)
            for (part in model.parts)
                context.assets.open(part).use { it.copyTo(checked) }
            file.fd.sync()
        }
        val hex = digest.digest().joinToString("") { "%02x".format(it) }
        check(hex == model.sha256) { "$domain is damaged" }
        check(partial.renameTo(target)) { "cannot write $target" }
    } finally {
        partial.delete()
    }
    return target
}

// LiteRT maps the file into memory.
val model = CompiledModel.create(
    rebuilt(context, "@DOMAIN@").path, CompiledModel.Options(Accelerator.CPU))
```

MediaPipe takes the same file, mapped:

```kotlin
import java.io.FileInputStream
import java.nio.channels.FileChannel

val mapped = FileInputStream(rebuilt(context, "@DOMAIN@")).channel.use {
    it.map(FileChannel.MapMode.READ_ONLY, 0, it.size())
}
val options = BaseOptions.builder().setModelAssetBuffer(mapped).build()
```
"""

BUNDLE = """\
### All domains in one file (Kotlin)

A domain is a signature of `@BUNDLE@`:

```kotlin
val model = CompiledModel.create(
    context.assets, "@BUNDLE@", CompiledModel.Options(Accelerator.CPU))
val inputs = model.createInputBuffers("@DOMAIN@")
val outputs = model.createOutputBuffers("@DOMAIN@")
inputs[0].@KOTLIN_WRITE@(pixels(bitmap))
model.run(inputs, outputs, "@DOMAIN@")
val scores = outputs[0].readFloat()
```
"""

EXTERNAL = """\
### External weights (Kotlin)

`CompiledModel` reads `trunk.bin` from beside the file. Copy both out of the
assets into one folder and compare **both** SHA-256 with the table above
first: the runtime does not notice a wrong trunk.

```kotlin
import java.io.File

// folder/@EXTERNAL_NAME@ and folder/trunk.bin, both checked
val model = CompiledModel.create(
    File(folder, "@EXTERNAL_NAME@").path,
    CompiledModel.Options(Accelerator.CPU))
```
"""
