// The camera's picture, a button for each domain, and the best classes.

package sample

import android.Manifest
import android.os.Bundle
import android.widget.Button
import android.widget.LinearLayout
import android.widget.TextView
import androidx.activity.ComponentActivity
import androidx.activity.result.contract.ActivityResultContracts
import androidx.camera.view.LifecycleCameraController
import androidx.camera.view.PreviewView
import java.util.concurrent.Executors

class MainActivity : ComponentActivity() {
    private val worker = Executors.newSingleThreadExecutor()
    private lateinit var classifier: Classifier
    @Volatile private var domain = ""

    override fun onCreate(state: Bundle?) {
        super.onCreate(state)
        classifier = Classifier(assets)
        domain = classifier.domains.first()
        val preview = PreviewView(this)
        val text = TextView(this)
        val screen = LinearLayout(this).apply { orientation = LinearLayout.VERTICAL }
        for (name in classifier.domains)
            screen.addView(Button(this).apply {
                this.text = name
                setOnClickListener { domain = name }
            })
        screen.addView(text)
        screen.addView(preview)
        setContentView(screen)

        val camera = LifecycleCameraController(this)
        camera.setImageAnalysisAnalyzer(worker) { frame ->
            // Frames lie as the sensor is built in: rotationDegrees rights them.
            val best = frame.use {
                classifier.top(domain, it.toBitmap(), it.imageInfo.rotationDegrees)
            }
            runOnUiThread {
                text.text = best.joinToString("\n") { (name, score) ->
                    "%s  %.1f %%".format(name, 100 * score)
                }
            }
        }
        preview.controller = camera
        registerForActivityResult(ActivityResultContracts.RequestPermission()) { granted ->
            if (granted) camera.bindToLifecycle(this) else text.text = "No camera"
        }.launch(Manifest.permission.CAMERA)
    }

    override fun onDestroy() {
        // After the frame that is being worked on.
        worker.execute { classifier.close() }
        worker.shutdown()
        super.onDestroy()
    }
}
