@file:Suppress("UNUSED_PARAMETER")

package androidx.camera.view

import android.content.Context
import android.view.View
import androidx.camera.core.ImageAnalysis
import androidx.lifecycle.LifecycleOwner
import java.util.concurrent.Executor

abstract class CameraController {
    fun setImageAnalysisAnalyzer(
        executor: Executor, analyzer: ImageAnalysis.Analyzer
    ): Unit = TODO()
}

class LifecycleCameraController(context: Context) : CameraController() {
    fun bindToLifecycle(owner: LifecycleOwner): Unit = TODO()
}

class PreviewView(context: Context) : View(context) {
    var controller: CameraController? = null
}
