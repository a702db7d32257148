// Search in a site that is opened as files. Browsers start no worker from a file, so its script runs in a hidden frame,
// behind the calls that the page uses of a worker. As between a page and a worker, a message arrives later, as a copy.
// Pages from a server are left alone.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    #frame = document.createElement("iframe");
    #loaded;

    constructor(url) {
      super();
      this.#frame.hidden = true;
      document.body.append(this.#frame);
      const inside = this.#frame.contentWindow;
      inside.postMessage = (data) => {
        const event = new MessageEvent("message", { data: structuredClone(data) });
        setTimeout(() => {
          this.onmessage?.(event);
          this.dispatchEvent(event);
        });
      };
      const script = inside.document.createElement("script");
      script.src = url;
      this.#loaded = new Promise((resolve) => {
        script.onload = resolve;
      });
      script.onerror = () => this.onerror?.(new Event("error"));
      inside.document.body.append(script);
    }

    postMessage(data) {
      const inside = this.#frame.contentWindow;
      const event = new inside.MessageEvent("message", { data: inside.structuredClone(data) });
      this.#loaded.then(() => setTimeout(() => inside.dispatchEvent(event)));
    }

    terminate() {
      this.#frame.remove();
    }
  };
}
