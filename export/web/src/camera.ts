/** The camera: a stream while it is on, and nothing of it afterwards. */

export class Camera {
  private stream: MediaStream|null = null;

  constructor(private readonly video: HTMLVideoElement) {}

  get on() {
    return this.stream !== null;
  }

  async start() {
    if (!navigator.mediaDevices)
      throw new Error('This browser gives no camera to this page');
    try {
      this.stream = await navigator.mediaDevices.getUserMedia(
          {video: {facingMode: 'environment'}, audio: false});
    } catch (error) {
      throw new Error(`No camera: ${(error as Error).message}`);
    }
    this.video.srcObject = this.stream;
    await this.video.play();
  }

  stop() {
    for (const track of this.stream?.getTracks() ?? []) track.stop();
    this.stream = null;
    this.video.srcObject = null;
  }
}
