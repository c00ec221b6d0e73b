// The domains of an export: bundle.tflite and manifest.json in the assets.

package sample

import android.content.res.AssetManager
import android.graphics.Bitmap
import android.graphics.Matrix
import com.google.ai.edge.litert.Accelerator
import com.google.ai.edge.litert.CompiledModel
import org.json.JSONObject

class Classifier(assets: AssetManager) : AutoCloseable {
    private val manifest = JSONObject(
        assets.open("manifest.json").use { it.readBytes().decodeToString() })
    private val input = manifest.getJSONObject("input")
    private val model = CompiledModel.create(
        assets, manifest.getString("bundle"), CompiledModel.Options(Accelerator.CPU))
    val domains = manifest.getJSONObject("domains").keys().asSequence().toList()

    init {
        require(input.getString("dtype") == "uint8") {
            "This app writes bytes: export with --input-dtype uint8"
        }
    }

    /** The best `k` classes of a picture that has yet to be turned by `degrees`. */
    fun top(domain: String, picture: Bitmap, degrees: Int, k: Int = 3): List<Pair<String, Float>> {
        val classes = manifest.getJSONObject("domains").getJSONObject(domain)
            .getJSONArray("classes")
        val shape = input.getJSONArray("shape")
        val upright = picture.turned(degrees)
        val argb = IntArray(upright.width * upright.height)
        upright.getPixels(argb, 0, upright.width, 0, 0, upright.width, upright.height)
        val rgb = centre(argb, upright.width, upright.height, shape.getInt(2), shape.getInt(1))
        val inputs = model.createInputBuffers(domain)
        val outputs = model.createOutputBuffers(domain)
        try {
            inputs[0].writeInt8(rgb)
            model.run(inputs, outputs, domain)
            val scores = outputs[0].readFloat()
            return scores.indices.sortedByDescending { scores[it] }.take(k)
                .map { classes.getString(it) to scores[it] }
        } finally {
            (inputs + outputs).forEach { it.close() }
        }
    }

    override fun close() = model.close()
}

private fun Bitmap.turned(degrees: Int): Bitmap =
    if (degrees == 0) this
    else Bitmap.createBitmap(
        this, 0, 0, width, height, Matrix().apply { postRotate(degrees.toFloat()) }, true)
