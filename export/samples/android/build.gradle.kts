plugins {
    id("com.android.application") version "8.13.0"
    id("org.jetbrains.kotlin.android") version "2.2.21"
}

android {
    namespace = "sample"
    compileSdk = 36
    defaultConfig {
        applicationId = "org.example.keras_mdl"
        minSdk = 26
        targetSdk = 36
    }
    sourceSets["main"].apply {
        manifest.srcFile("AndroidManifest.xml")
        kotlin.srcDirs(".")
        assets.srcDirs("export")
    }
    androidResources { noCompress += "tflite" }
}

dependencies {
    implementation("androidx.activity:activity:1.10.1")
    implementation("androidx.camera:camera-camera2:1.5.0")
    implementation("androidx.camera:camera-view:1.5.0")
    implementation("com.google.ai.edge.litert:litert:2.3.0")
}
